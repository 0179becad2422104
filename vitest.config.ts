import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    globalSetup: 'test/support/built-package.ts',
    pool: 'forks',
    // One a core, where the default leaves a core to nobody: much of the time goes into waiting for processes.
    maxWorkers: '100%',
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      // What is imported once is not imported by each file again: a quarter of the time. No module keeps what another test's could trip over.
      { extends: true, test: { name: 'src', include: ['src/**/*.test.ts'], isolate: false } },
      { extends: true, test: { name: 'test', include: ['test/**/*.test.ts'] } },
    ],
  },
});
