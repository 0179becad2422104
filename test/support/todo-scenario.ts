import type { JsonObject } from '../../src/codec/index.ts';
import { buildPolicyBundle, type PolicyBundle, type ToolDefinition } from '../../src/policy/index.ts';

/**
 * A todo application with the rules of the OpenID AuthZEN interop scenario: five users whose roles decide what they may
 * do with todos, some with their own alone. The people, ids and payloads here are our own; the actions, roles and
 * expected decisions are the scenario's.
 */
export interface TodoUser {
  readonly id: string;
  readonly mail: string;
  readonly roles: readonly ('admin' | 'evil_genius' | 'editor' | 'viewer')[];
}

export const TODO_USERS: readonly TodoUser[] = [
  { id: 'u-1001', mail: 'ada@example.test', roles: ['admin', 'evil_genius'] },
  { id: 'u-1002', mail: 'ben@example.test', roles: ['editor'] },
  { id: 'u-1003', mail: 'cleo@example.test', roles: ['editor'] },
  { id: 'u-1004', mail: 'dora@example.test', roles: ['viewer'] },
  { id: 'u-1005', mail: 'emil@example.test', roles: ['viewer'] },
];

export interface TodoCase {
  readonly request: JsonObject & { readonly context?: JsonObject };
  readonly expected: boolean;
}

/** Eight questions about each user, as the scenario asks them. */
export function todoCases(users: readonly TodoUser[] = TODO_USERS): TodoCase[] {
  const [first] = users;
  if (first === undefined) return [];
  return users.flatMap((user) => {
    const { id, mail, roles } = user;
    const is = (...any: TodoUser['roles']) => any.some((role) => roles.includes(role));
    const ask = (name: string, resource: JsonObject, expected: boolean): TodoCase => ({
      request: { subject: { type: 'user', id }, action: { name }, resource },
      expected,
    });
    const person = (who: string) => ({ type: 'user', id: who });
    const todo = { type: 'todo', id: 'todo-1' };
    const ownedBy = (ownerID: string) => ({ type: 'todo', id: 'todo-7', properties: { ownerID } });
    const isFirst = user === first;
    return [
      ask('can_read_user', person(users[3]?.mail ?? mail), true),
      ask('can_read_user', person(mail), true),
      ask('can_read_todos', todo, true),
      ask('can_create_todo', todo, is('admin', 'editor')),
      ask('can_update_todo', ownedBy(first.mail), is('evil_genius') || (isFirst && is('editor'))),
      ask('can_update_todo', ownedBy(isFirst ? (users[1]?.mail ?? mail) : mail), is('evil_genius', 'editor')),
      ask('can_delete_todo', ownedBy(first.mail), is('admin') || (isFirst && is('editor'))),
      ask('can_delete_todo', ownedBy(isFirst ? (users[1]?.mail ?? mail) : mail), is('admin', 'editor')),
    ];
  });
}

export const TODO_TOOLS: readonly ToolDefinition[] = [
  toolOf('user', 'can_read_user', { readOnlyHint: true }),
  toolOf('todo', 'can_read_todos', { readOnlyHint: true }),
  toolOf('todo', 'can_create_todo', { readOnlyHint: false, destructiveHint: false }),
  toolOf('todo', 'can_update_todo', { readOnlyHint: false, destructiveHint: false }),
  toolOf('todo', 'can_delete_todo', { destructiveHint: true }),
];

/** The users and their roles as a policy: who an id is, the domain's policy knows, and no request says. */
export function todoBundle(users: readonly TodoUser[] = TODO_USERS): PolicyBundle {
  const idsOf = (role: TodoUser['roles'][number]) =>
    JSON.stringify(users.filter(({ roles }) => roles.includes(role)).map(({ id }) => id));
  const policies = [
    `@id("everybody-reads")
permit (principal, action in [${actions('user/can_read_user', 'todo/can_read_todos')}], resource)
when { ${JSON.stringify(users.map(({ id }) => id))}.contains(context.input.subject_id) };`,
    `@id("admins-and-editors-create")
permit (principal, action == ${actions('todo/can_create_todo')}, resource)
when { ${idsOf('admin')}.contains(context.input.subject_id) || ${idsOf('editor')}.contains(context.input.subject_id) };`,
    `@id("evil-geniuses-update")
permit (principal, action == ${actions('todo/can_update_todo')}, resource)
when { ${idsOf('evil_genius')}.contains(context.input.subject_id) };`,
    `@id("admins-delete")
permit (principal, action == ${actions('todo/can_delete_todo')}, resource)
when { ${idsOf('admin')}.contains(context.input.subject_id) };`,
    ...users
      .filter(({ roles }) => roles.includes('editor'))
      .map(
        ({ id, mail }) => `@id("${id}-changes-own")
permit (principal, action in [${actions('todo/can_update_todo', 'todo/can_delete_todo')}], resource)
when {
  context.input.subject_id == ${JSON.stringify(id)} && context.input.resource_properties has ownerID && context.input.resource_properties.ownerID == ${JSON.stringify(mail)}
};`,
      ),
  ];
  const bundle = buildPolicyBundle({
    id: 'todo',
    policies: [{ path: 'todo.cedar', text: policies.join('\n\n') }],
    tools: TODO_TOOLS.toSorted((a, b) => (a.id < b.id ? -1 : 1)),
  });
  if (!('digest' in bundle)) throw new Error(JSON.stringify(bundle));
  return bundle;
}

function actions(...names: readonly string[]): string {
  return names.map((name) => `Writ::Action::"authzen://${name}"`).join(', ');
}

function toolOf(type: string, name: string, annotations: JsonObject): ToolDefinition {
  return {
    server: type,
    id: `authzen://${type}/${name}`,
    definition: {
      name,
      inputSchema: {
        type: 'object',
        properties: {
          subject_type: { type: 'string' },
          subject_id: { type: 'string' },
          resource_id: { type: 'string' },
          resource_properties: { type: 'object', properties: { ownerID: { type: 'string' } } },
        },
        required: ['subject_type', 'subject_id', 'resource_id', 'resource_properties'],
      },
      annotations,
    },
  };
}
