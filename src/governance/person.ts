/** Which person a subject is, as far as Writ can know: equal where they are one. */
export type PersonOf = (subject: string) => string;

/** Each subject for itself, as decisions went whose receipts do not say `people: "same-name"`. */
export const bySubject: PersonOf = (subject) => subject;

/**
 * Somebody with an account on the machine and a token has two names, `spiffe://<domain>/user/ada` and `spiffe://<domain>/caller/ada`.
 * INVARIANT: they count as one person, so that nobody is two for a rule that asks for two; where they are two people after all,
 * the rule asks for one more, never for one less.
 */
export function bySameName(domain: string | undefined): PersonOf {
  if (domain === undefined) return bySubject;
  const own = `spiffe://${domain}/`;
  return (subject) => {
    const [, name] = subject.startsWith(own)
      ? (/^(?:user|caller)\/([^/]+)$/.exec(subject.slice(own.length)) ?? [])
      : [];
    return name === undefined ? subject : `${own}user/${name.toLowerCase()}`;
  };
}
