import { appendFileSync, existsSync, readFileSync } from 'node:fs';

export interface Payment {
  readonly to: string;
  /** Cents. */
  readonly amount: number;
  readonly order: string;
}

/** The account: a file with a line for each payment. */
export class Ledger {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  pay({ to, amount, order }: Payment): void {
    appendFileSync(this.#file, `${JSON.stringify({ to, amount, order })}\n`);
  }

  payments(): Payment[] {
    if (!existsSync(this.#file)) return [];
    return readFileSync(this.#file, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): Payment => JSON.parse(line));
  }

  /** `2 paid, 40.00` */
  summary(): string {
    const payments = this.payments();
    const cents = payments.reduce((sum, { amount }) => sum + amount, 0);
    return `${payments.length} paid, ${(cents / 100).toFixed(2)}`;
  }
}
