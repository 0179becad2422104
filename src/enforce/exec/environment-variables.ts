import { type Denial, deny } from '../../denial/index.ts';

/** What every program gets. */
export const DEFAULT_ENVIRONMENT: ReadonlyMap<string, string> = new Map([
  ['HOME', '/tmp'],
  ['LANG', 'C.UTF-8'],
  ['PATH', '/usr/local/bin:/usr/bin:/bin'],
]);

const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MAX_VARIABLES = 256;
const MAX_CHARACTERS = 64 * 1024;

/**
 * Variables that make a program run code, read configuration or talk to hosts that its arguments do not name. A request
 * lists them apart (`unsafeEnv`), so that granting "an environment" never grants these.
 */
const UNSAFE = new RegExp(
  `^(?:${[
    'LD_.*',
    'DYLD_.*',
    'GCONV_PATH|GETCONF_DIR|HOSTALIASES|LOCALDOMAIN|LOCPATH|MALLOC_TRACE|NLSPATH|RES_OPTIONS|GLIBC_TUNABLES|TZDIR',
    'BASH_.*|ENV|SHELLOPTS|BASHOPTS|PS[0-4]|PROMPT_COMMAND|IFS|CDPATH|GLOBIGNORE|ZDOTDIR|PATH|SHELL|HOME',
    'NODE_.*|NPM_CONFIG_.*|PYTHON.*|PERL.*|RUBY.*|GEM_.*|BUNDLE_.*|LUA_.*|PHP.*|R_.*|JULIA_.*|DENO_.*|BUN_.*',
    'JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|CLASSPATH|MAVEN_OPTS|GRADLE_OPTS|DOTNET_.*|CORECLR_.*|COMPLUS_.*',
    'GIT_.*|SSH_.*|EDITOR|VISUAL|.*PAGER|LESS|LESSOPEN|LESSCLOSE|BROWSER|TAR_OPTIONS|GREP_OPTIONS|ZIPOPT|RSYNC_.*',
    'TF_CLI_.*|TF_PLUGIN_.*|KUBECONFIG|ANSIBLE_.*|DOCKER_.*|AWS_CONFIG_FILE|OPENSSL_.*|SSLKEYLOGFILE|CURL_.*|WGETRC',
    'TF_REATTACH_PROVIDERS|TF_DATA_DIR|TF_WORKSPACE|TF_LOG_PATH|TF_ENCRYPTION|HELM_.*|KUBE_EDITOR|AWS_SHARED_CREDENTIALS_FILE|AWS_ENDPOINT_URL.*',
    // They change which arguments are flags, or add some: what was decided on would be read in another way.
    'POSIXLY_CORRECT|GZIP|BZIP2?|XZ_OPT|XZ_DEFAULTS|ZSTD_.*|LZOP|TAPE|TAR_.*|RSH|ZIP|UNZIP|UNZIPOPT|ZIPINFO|LS_OPTIONS|CFLAGS|LDFLAGS',
    'AWKPATH|AWKLIBPATH|GAWK_.*|INPUTRC|TERMINFO|TERMINFO_DIRS|TERMCAP|VIMINIT|EXINIT|MYVIMRC|EMACS.*|MANOPT|MANPATH|SUDO_.*|DISPLAY',
    'GNUPGHOME|PGSERVICE.*|PGPASSFILE|PGSYSCONFDIR|PGOPTIONS|PSQLRC|MYSQL_.*|SVN_.*|HG.*|CVS_RSH|TCLLIBPATH|GUILE_.*|ERL_.*|OCAML.*|CAML.*',
    'GCC_.*|COMPILER_PATH|LIBRARY_PATH|CPATH|.*_INCLUDE_PATH|PKG_CONFIG.*|CMAKE_.*|M2_HOME|ANT_.*|SBT_OPTS|JAVA_OPTS|JRE_HOME|JAVA_HOME',
    'PIP_.*|UV_.*|YARN_.*|PNPM_.*|COREPACK_.*|SSL_CERT_.*|REQUESTS_CA_BUNDLE|KRB5.*|SASL_.*|MAGICK_.*|GS_.*|GST_.*|FAKECHROOT.*|GTK.*',
    // They name programs to run (make, ccache, rg, gcloud), or libraries to load (GLib, ODBC, Azure).
    'AR|AS|LD|CPP|FC|YACC|LEX|RM|CXXFLAGS|CPPFLAGS|CCACHE_.*|RUSTUP_.*|RUST(?:DOC)?FLAGS|RIPGREP_CONFIG_PATH|FZF_DEFAULT_.*|LESSKEY.*',
    'CLOUDSDK_.*|AZURE_CONFIG_DIR|AZURE_EXTENSION_DIR|ODBC.*|GIO_.*|GDK_.*|MONO_.*|IRBRC',
    'XDG_.*|.*_PROXY|GTK_.*|QT_.*|MAKEFLAGS|MFLAGS|MAKEFILES|CC|CXX|RUSTC.*|CARGO_.*|GO.*|CGO_.*',
  ].join('|')})$`,
);

export interface SortedEnvironment {
  /** Everything, as the program gets it. */
  readonly all: ReadonlyMap<string, string>;
  /** `NAME=value`, sorted. */
  readonly safe: readonly string[];
  readonly unsafe: readonly string[];
}

export function isUnsafeVariable(name: string): boolean {
  return UNSAFE.test(name.toUpperCase());
}

/** @returns `request.malformed` for names that shells could not write, and values that the kernel would not take. */
export function sortEnvironment(extra: ReadonlyMap<string, string>): SortedEnvironment | Denial {
  const all = new Map([...DEFAULT_ENVIRONMENT, ...extra]);
  if (all.size > MAX_VARIABLES) return deny('request.too_large', 'there are too many environment variables');
  let characters = 0;
  const safe: string[] = [];
  const unsafe: string[] = [];
  for (const [name, value] of all) {
    characters += name.length + value.length;
    if (characters > MAX_CHARACTERS) return deny('request.too_large', 'the environment is too large');
    if (!NAME.test(name) || value.includes('\0') || !value.isWellFormed()) {
      return deny('request.malformed', 'an environment variable is malformed');
    }
    const isDefault = DEFAULT_ENVIRONMENT.get(name) === value;
    (isUnsafeVariable(name) && !isDefault ? unsafe : safe).push(`${name}=${value}`);
  }
  return { all, safe: safe.sort(), unsafe: unsafe.sort() };
}
