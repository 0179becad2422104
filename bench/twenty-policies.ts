/** Nineteen folders that nobody may touch, whatever was granted: each is one policy of every contestant that has any. */
export const FORBIDDEN_FOLDERS = Array.from({ length: 19 }, (_, number) => `/forbidden-${number}`);

/** As Cedar, in Writ's schema. */
export const NINETEEN_FORBIDS = FORBIDDEN_FOLDERS.map(
  (folder) =>
    `forbid (principal, action, resource) when { context.input has path && context.input.path like "${folder}/*" };`,
);

/** Twenty policies, of which one permits and none forbids what is timed. */
export const TWENTY_POLICIES = [
  'permit (principal, action in Writ::Action::"read", resource) when { principal.enrolled };',
  ...NINETEEN_FORBIDS,
].join('\n');
