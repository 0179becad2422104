import { describe, expect, it } from 'vitest';
import { isUnsafeVariable, sortEnvironment } from './environment-variables.ts';

describe('variables that change what a call means', () => {
  it.each([
    ...[
      'LD_PRELOAD',
      'LD_LIBRARY_PATH',
      'LD_AUDIT',
      'GCONV_PATH',
      'GLIBC_TUNABLES',
      'BASH_ENV',
      'ENV',
      'PATH',
    ],
    ...[
      'IFS',
      'PS4',
      'PROMPT_COMMAND',
      'SHELLOPTS',
      'BASH_FUNC_ls',
      'NODE_OPTIONS',
      'NODE_PATH',
      'PYTHONPATH',
    ],
    ...[
      'PYTHONSTARTUP',
      'PERL5OPT',
      'PERL5LIB',
      'RUBYOPT',
      'JAVA_TOOL_OPTIONS',
      'CLASSPATH',
      'LUA_INIT',
      'GOFLAGS',
    ],
    ...[
      'GIT_SSH_COMMAND',
      'GIT_CONFIG_COUNT',
      'GIT_EXTERNAL_DIFF',
      'GIT_PAGER',
      'GIT_DIR',
      'SSH_ASKPASS',
      'EDITOR',
    ],
    ...[
      'PAGER',
      'MANPAGER',
      'LESSOPEN',
      'TAR_OPTIONS',
      'GREP_OPTIONS',
      'RSYNC_RSH',
      'TF_CLI_ARGS_apply',
      'TF_LOG_PATH',
    ],
    ...[
      'TF_REATTACH_PROVIDERS',
      'GZIP',
      'XZ_OPT',
      'POSIXLY_CORRECT',
      'AWKPATH',
      'INPUTRC',
      'VIMINIT',
      'SVN_SSH',
    ],
    ...[
      'RM',
      'CCACHE_PREFIX',
      'RIPGREP_CONFIG_PATH',
      'CLOUDSDK_PYTHON',
      'GIO_EXTRA_MODULES',
      'ODBCSYSINI',
      'RUSTFLAGS',
    ],
    ...[
      'http_proxy',
      'HTTPS_PROXY',
      'no_proxy',
      'CURL_HOME',
      'SSL_CERT_FILE',
      'PIP_INDEX_URL',
      'npm_config_registry',
    ],
  ])('%s is granted apart from an environment', (name) => {
    expect(sortEnvironment(new Map([[name, 'x']]))).toMatchObject({ unsafe: [`${name}=x`] });
  });

  it.each(['MODE', 'TARGET', 'LC_ALL', 'TZ', 'TF_VAR_region', 'PGHOST', 'COLUMNS'])('%s is not', (name) => {
    expect(isUnsafeVariable(name)).toBe(false);
  });

  it.each([
    ['', 'x'],
    ['A=B', 'x'],
    ['1A', 'x'],
    ['A B', 'x'],
    ['A\0', 'x'],
    ['A', 'x\0LD_PRELOAD=/x.so'],
    ['BASH_FUNC_ls%%', '() { id; }'],
  ])('%j is none', (name, value) => {
    expect(sortEnvironment(new Map([[name, value]]))).toMatchObject({ code: 'request.malformed' });
  });

  it('are bounded', () => {
    const many = new Map(Array.from({ length: 300 }, (_, index) => [`A${index}`, '']));
    expect(sortEnvironment(many)).toMatchObject({ code: 'request.too_large' });
    expect(sortEnvironment(new Map([['A', 'x'.repeat(70_000)]]))).toMatchObject({
      code: 'request.too_large',
    });
  });
});
