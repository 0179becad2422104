import { measurableTools } from '../environment/index.ts';
import type { MeasuredTool } from '../governor/index.ts';

/**
 * What several servers behind one gateway list, told as one list. INVARIANT: none takes the room of another: each has its share,
 * and a list that is refused changes nothing of the others.
 */
export class ListedTools {
  readonly #servers: number;
  readonly #tell: (tools: readonly MeasuredTool[]) => void;
  #listed: ReadonlyMap<string, readonly MeasuredTool[]> = new Map();

  constructor(servers: number, tell: (tools: readonly MeasuredTool[]) => void) {
    this.#servers = servers;
    this.#tell = tell;
  }

  /** Throws `TypeError` on more than its share. */
  list(server: string, tools: readonly MeasuredTool[]): void {
    const listed = new Map(this.#listed).set(server, measurableTools(tools, this.#servers));
    this.#tell([...listed.values()].flat());
    this.#listed = listed;
  }
}
