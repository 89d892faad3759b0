import { expect } from 'vitest';
import { LEASE_LIFETIME_MS, type Lease, Leases } from '../../store/leases.ts';
import type { Store } from '../../store/store.ts';
import { storeTest } from '../data/temporary-store.ts';

const ONE = { workflowId: 'one', step: 'tune' };
const TWO = { workflowId: 'two', step: 'train' };

/** A process that takes leases, with a clock of its own. */
class Observer {
  now = 1_000_000 * Math.random();
  readonly leases: Leases;

  constructor(store: Store) {
    this.leases = new Leases(store, () => this.now);
  }

  async take(holder: typeof ONE): Promise<Lease> {
    const claim = await this.leases.claim('f', holder);
    if (claim.kind === 'held') throw new Error(`held by ${claim.by.workflowId}`);
    return claim.lease;
  }
}

storeTest('a lease is held by one, until it is given back', async ({ store }) => {
  const [here, there] = [new Observer(store), new Observer(store)];
  const lease = await here.take(ONE);
  expect(lease.isTakenOver).toBe(false);
  expect(await there.leases.claim('f', TWO)).toEqual({ kind: 'held', by: ONE });
  expect((await there.leases.claim('g', TWO)).kind).toBe('taken');
  await lease.release();
  expect((await there.take(TWO)).isTakenOver).toBe(true);
  expect(await lease.renew()).toBe(false);
});

storeTest('of many that claim it at once one takes it', async ({ store }) => {
  const claims = Array.from({ length: 8 }, (_, index) =>
    new Observer(store).leases.claim('f', { ...ONE, workflowId: `run-${index}` }),
  );
  const kinds = (await Promise.all(claims)).map(({ kind }) => kind);
  expect(kinds.filter((kind) => kind === 'taken')).toHaveLength(1);
});

storeTest(
  'who stands still for the lifetime loses it, and never has it again',
  async ({ store }) => {
    const [here, there] = [new Observer(store), new Observer(store)];
    const lease = await here.take(ONE);
    await there.leases.claim('f', TWO);
    there.now += LEASE_LIFETIME_MS - 1;
    expect(await there.leases.claim('f', TWO)).toEqual({ kind: 'held', by: ONE });
    expect(await lease.renew()).toBe(true);
    there.now += LEASE_LIFETIME_MS - 1;
    expect(await there.leases.claim('f', TWO)).toEqual({ kind: 'held', by: ONE });
    there.now += LEASE_LIFETIME_MS;
    const other = await there.take(TWO);
    expect([await lease.renew(), await other.renew()]).toEqual([false, true]);
    await lease.release();
    expect(await other.renew()).toBe(true);
  },
);

storeTest('a clock that is wrong takes nothing from who renews', async ({ store }) => {
  const [here, wrong] = [new Observer(store), new Observer(store)];
  const lease = await here.take(ONE);
  for (let turn = 0; turn < 5; turn += 1) {
    wrong.now += 100 * LEASE_LIFETIME_MS;
    expect(await wrong.leases.claim('f', TWO)).toEqual({ kind: 'held', by: ONE });
    expect(await lease.renew()).toBe(true);
  }
});

storeTest(
  'the same step of a run takes it over at once, from an attempt that was lost',
  async ({ store }) => {
    const lost = await new Observer(store).take(ONE);
    const again = await new Observer(store).take(ONE);
    expect([await lost.renew(), await again.renew()]).toEqual([false, true]);
  },
);

storeTest('a write that was done and seemed to fail does not lose it', async ({ store }) => {
  let isBroken = false;
  const flaky: Store = Object.assign(Object.create(store) as Store, {
    swapRef: async (...args: Parameters<Store['swapRef']>) => {
      const version = await store.swapRef(...args);
      if (isBroken) throw new Error('no answer');
      return version;
    },
  });
  const lease = await new Observer(flaky).take(ONE);
  isBroken = true;
  await expect(lease.renew()).rejects.toThrow('no answer');
  isBroken = false;
  expect(await lease.renew()).toBe(true);
});
