/* Prints its arguments, and ends with exit code 7 when it is told to stop: exec-program.ts ARGS... */
const args: readonly string[] = process.argv.slice(2);
const keepAlive = setInterval(() => {}, 60_000);
process.once('SIGTERM', () => {
  clearInterval(keepAlive);
  process.exitCode = 7;
});
console.log(JSON.stringify(args));
