#!/usr/bin/env node
// A shell whose every command is run by "writ exec": for agents' shell tools, as SHELL.
process.argv.splice(2, 0, 'exec', 'shell');
await import('./writ.js');
