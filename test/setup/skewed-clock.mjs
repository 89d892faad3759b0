// @ts-check
// node --import ./test/setup/skewed-clock.mjs: a process whose time of day is off by $RETUNE_TEST_CLOCK_MS.

const skewMs = Number(process.env['RETUNE_TEST_CLOCK_MS']);
const Right = Date;

globalThis.Date = new Proxy(Right, {
  construct(target, args, newTarget) {
    const given = args.length === 0 ? [Right.now() + skewMs] : args;
    return Reflect.construct(target, given, newTarget);
  },
  apply: () => new Date().toString(),
  get(target, name, receiver) {
    return name === 'now' ? () => Right.now() + skewMs : Reflect.get(target, name, receiver);
  },
});
