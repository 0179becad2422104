/** Policy text for a new trust domain; valid for any set of tools. */
export function starterPolicy(): string {
  return STARTER_POLICY;
}

const STARTER_POLICY = `// What agents of this trust domain may do with the tools they were granted.
// An artifact grants; these policies can only narrow that. What no policy permits is denied, and a forbid always wins.
// Tools are grouped by their MCP annotations: "read", "write", and "destructive" (also everything unannotated).

// Enrolled agents may use tools that only read.
@id("enrolled-agents-read")
permit (
  principal,
  action in Writ::Action::"read",
  resource
)
when { principal.enrolled };

// Changing things takes an artifact that says what it is for.
@id("enrolled-agents-write-for-a-purpose")
permit (
  principal,
  action in [Writ::Action::"write", Writ::Action::"destructive"],
  resource
)
when { principal.enrolled && context.artifact has purpose };

// Destructive tools run only where the environment is measured, for an artifact that names who started it and ends
// within a day.
@id("destructive-with-care")
forbid (
  principal,
  action in Writ::Action::"destructive",
  resource
)
unless {
  context.environment.measured &&
  context.artifact has initiator &&
  context.artifact.expiresInSeconds <= 86400
};

// One tool has its own typed arguments. To keep file writes out of .git, for example:
//
// forbid (
//   principal,
//   action == Writ::Action::"mcp://fs/tools/write_file",
//   resource == Writ::Server::"fs"
// )
// when { context.input.path like "*/.git/*" };
//
// To ask people first, annotate a permit: @approval("operator:2") means two people of that role.
`;
