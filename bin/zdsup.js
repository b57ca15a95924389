#!/usr/bin/env node
// Old Nodes must still parse this far: they get a clear word instead of a syntax error.
var parts = process.versions.node.split('.');
if (Number(parts[0]) < 20 || (Number(parts[0]) === 20 && Number(parts[1]) < 19)) {
  process.stderr.write(
    'error: zdsup needs Node 20.19 or newer, this is ' +
      process.version +
      ' (ZDSUP_NODE_UNSUPPORTED)\n' +
      'hint: install a newer Node, or run zdsup with one: /path/to/node zdsup start app.js\n',
  );
  process.exit(2);
}
// The master only steers and does not earn back what V8's compilers cost (4 MB of memory), nor a young generation that
// grows with every reload (10 MB after a hundred); set before it loads anything. See docs/adr/0003. A command of 100 ms is
// better off without: flags that differ from Node's own make it compile its built-in modules anew (8 ms).
if (process.argv[2] === 'start')
  for (const flag of [
    '--no-opt',
    '--no-maglev',
    '--no-sparkplug',
    '--semi-space-growth-factor=1',
    '--optimize-for-size',
  ])
    require('node:v8').setFlagsFromString(flag);
require('../dist/cli/main.cjs').main(process.argv);
