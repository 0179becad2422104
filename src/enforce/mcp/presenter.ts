import type { JsonObject } from '../../codec/index.ts';
import { deny } from '../../denial/index.ts';
import type { Action, Presenter } from './ports.ts';

/** Asks a presenter, which is code of its own: what it throws is a denial. */
export function present(
  presenter: Presenter,
  tool: string,
  args: JsonObject,
  parent?: string,
): Action['presentation'] {
  try {
    return presenter.present(tool, args, parent);
  } catch {
    return deny('internal.unexpected', 'the presenter failed');
  }
}
