import type { JsonObject } from '../../../src/codec/index.ts';

/** What the fixture server offers: what the scenarios of `@modelcontextprotocol/conformance` call, by name. */

const PNG =
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5ErkJggg==';
const WAV = 'UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAA=';

const text = (value: string): JsonObject => ({ type: 'text', text: value });
const image: JsonObject = { type: 'image', data: PNG, mimeType: 'image/png' };
const resource = (uri: string, mimeType: string, value: string): JsonObject => ({
  type: 'resource',
  resource: { uri, mimeType, text: value },
});

/** Tools whose result is always the same. */
export const FIXED_RESULTS: Readonly<Record<string, JsonObject>> = {
  test_simple_text: { content: [text('This is a simple text response for testing.')] },
  test_image_content: { content: [image] },
  test_audio_content: { content: [{ type: 'audio', data: WAV, mimeType: 'audio/wav' }] },
  test_embedded_resource: {
    content: [resource('test://embedded-resource', 'text/plain', 'This is an embedded resource content.')],
  },
  test_multiple_content_types: {
    content: [
      text('Multiple content types test:'),
      image,
      resource('test://mixed-content-resource', 'application/json', '{"test":"data","value":123}'),
    ],
  },
  test_error_handling: {
    isError: true,
    content: [text('This tool intentionally returns an error for testing')],
  },
  test_streaming_elicitation: { content: [text('Nothing was asked.')] },
  test_logging_tool: { content: [text('Nothing was logged.')] },
};

/** Tools that do something; those with arguments say which. */
const OTHER_TOOLS: Readonly<Record<string, JsonObject>> = {
  test_tool_with_logging: {},
  test_tool_with_progress: {},
  test_sampling: { prompt: { type: 'string' } },
  test_elicitation: { message: { type: 'string' } },
  test_elicitation_sep1034_defaults: {},
  test_elicitation_sep1330_enums: {},
  test_missing_capability: {},
  test_trigger_tool_change: {},
  test_trigger_prompt_change: {},
  test_input_required_result_elicitation: {},
  test_input_required_result_sampling: {},
  test_input_required_result_list_roots: {},
  test_input_required_result_request_state: {},
  test_input_required_result_multiple_inputs: {},
  test_input_required_result_multi_round: {},
  test_input_required_result_tampered_state: {},
  test_input_required_result_capabilities: {},
};

/** Members of a schema that a gateway which rebuilt definitions would lose. */
const SCHEMA_TOOL = {
  name: 'json_schema_2020_12_tool',
  description: 'Has a schema with more in it than most.',
  inputSchema: {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    type: 'object',
    $defs: {
      address: { type: 'object', properties: { street: { type: 'string' }, city: { type: 'string' } } },
    },
    properties: { name: { type: 'string' }, address: { $ref: '#/$defs/address' } },
    additionalProperties: false,
  },
};

export const TOOLS: readonly (JsonObject & { readonly name: string })[] = [
  ...Object.keys(FIXED_RESULTS).map((name) => [name, {}] as const),
  ...Object.entries(OTHER_TOOLS),
]
  .map(([name, properties]) => ({
    name,
    description: `Does what the conformance suite expects of ${name}.`,
    inputSchema: { type: 'object', properties, required: Object.keys(properties) },
  }))
  .concat([SCHEMA_TOOL as never]);

export const RESOURCES: readonly JsonObject[] = [
  {
    uri: 'test://static-text',
    name: 'static-text',
    description: 'A text that stays.',
    mimeType: 'text/plain',
  },
  {
    uri: 'test://static-binary',
    name: 'static-binary',
    description: 'An image that stays.',
    mimeType: 'image/png',
  },
  {
    uri: 'test://watched-resource',
    name: 'watched-resource',
    description: 'To be watched.',
    mimeType: 'text/plain',
  },
];

export const TEMPLATES: readonly JsonObject[] = [
  {
    uriTemplate: 'test://template/{id}/data',
    name: 'template',
    description: 'One of many.',
    mimeType: 'application/json',
  },
];

const FIXED_RESOURCES: Readonly<Record<string, JsonObject>> = {
  'test://static-text': {
    mimeType: 'text/plain',
    text: 'This is the content of the static text resource.',
  },
  'test://static-binary': { mimeType: 'image/png', blob: PNG },
  'test://watched-resource': { mimeType: 'text/plain', text: 'Watched.' },
};

/** A resource's contents; undefined where there is no such resource. */
export function readResource(uri: string): JsonObject | undefined {
  const fixed = FIXED_RESOURCES[uri];
  if (fixed !== undefined) return { contents: [{ uri, ...fixed }] };
  const id = /^test:\/\/template\/([^/]+)\/data$/.exec(uri)?.[1];
  if (id === undefined) return undefined;
  const data = JSON.stringify({ id, templateTest: true, data: `Data for ID: ${id}` });
  return { contents: [{ uri, mimeType: 'application/json', text: data }] };
}

export const PROMPTS: readonly JsonObject[] = [
  { name: 'test_simple_prompt', description: 'Without arguments.' },
  {
    name: 'test_prompt_with_arguments',
    description: 'With two arguments.',
    arguments: [
      { name: 'arg1', required: true },
      { name: 'arg2', required: true },
    ],
  },
  {
    name: 'test_prompt_with_embedded_resource',
    description: 'With a resource.',
    arguments: [{ name: 'resourceUri', required: true }],
  },
  { name: 'test_prompt_with_image', description: 'With an image.' },
  { name: 'test_input_required_result_prompt', description: 'Asks first.' },
];

/** A prompt, filled in; undefined where there is no such prompt. */
export function getPrompt(name: string, args: JsonObject): JsonObject | undefined {
  const said = (content: JsonObject): JsonObject => ({ role: 'user', content });
  switch (name) {
    case 'test_simple_prompt':
      return { messages: [said(text('This is a simple prompt for testing.'))] };
    case 'test_prompt_with_arguments':
      return {
        messages: [
          said(text(`Prompt with arguments: arg1='${String(args.arg1)}', arg2='${String(args.arg2)}'`)),
        ],
      };
    case 'test_prompt_with_embedded_resource':
      return {
        messages: [
          said(resource(String(args.resourceUri), 'text/plain', 'Embedded resource content for testing.')),
          said(text('Please process the embedded resource above.')),
        ],
      };
    case 'test_prompt_with_image':
      return { messages: [said(image), said(text('Please analyze the image above.'))] };
    default:
      return undefined;
  }
}
