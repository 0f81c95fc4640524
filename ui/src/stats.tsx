// The answer of a query whose stages make a table: sorted by a click on a column, values lead back to their events.
import { useState } from "preact/hooks";
import type { TableAnswer, TableColumn, TableValue } from "./api";
import { look } from "./state";
import { clock, visible, Visible } from "./text";

const ROWS = 1000; // in the document; the rest is in the download

/** The query for the events behind a value; null where the column is computed. */
function queryOf(filter: string, column: TableColumn, value: TableValue): string | null {
  if (!column.field || Array.isArray(value)) return null;
  const quoted = `"${String(value).replace(/["\\]/g, "\\$&")}"`;
  const term = value === null ? `not ${column.name}:*` : `${column.name}:${quoted}`;
  return filter === "*" ? term : `(${filter}) and ${term}`;
}

/** Absent values come last, both ways. */
function compare(a: TableValue, b: TableValue, down: boolean): number {
  if (a === null || b === null) return Number(a === null) - Number(b === null);
  const [x, y] = typeof a === "number" && typeof b === "number" ? [a, b] : [String(a), String(b)];
  return (x < y ? -1 : x > y ? 1 : 0) * (down ? -1 : 1);
}

function Cell({ filter, column, value }: { filter: string; column: TableColumn; value: TableValue }) {
  const query = queryOf(filter, column, value);
  const full = value === null ? "absent" : Array.isArray(value) ? value.join(", ") : String(value);
  const text = column.type === "time" && value !== null ? clock(String(value)) : value === null ? "–" : full;
  const shown = <Visible text={text.slice(0, 2000)} />;
  return (
    <td class={column.type} title={visible(full.slice(0, 2000))}>
      {query ? <button class="link" onClick={() => look({ q: query, event: "", live: false })}>{shown}</button> : shown}
    </td>
  );
}

export function StatsTable({ answer }: { answer: TableAnswer }) {
  const [order, setOrder] = useState<{ of: TableAnswer; column: number; down: boolean } | null>(null);
  const now = order?.of === answer ? order : null;
  const rows = now ? [...answer.rows].sort((a, b) => compare(a[now.column], b[now.column], now.down)) : answer.rows;
  const turn = (column: number) => setOrder({ of: answer, column, down: now?.column === column ? !now.down : answer.columns[column].type === "number" });
  return (
    <div class="stats">
      <table>
        <thead>
          <tr>
            {answer.columns.map((column, i) => (
              <th key={column.name} scope="col" class={column.type} aria-sort={now?.column === i ? (now.down ? "descending" : "ascending") : "none"}>
                <button class="link" onClick={() => turn(i)}>
                  {column.name}
                  {now?.column === i ? (now.down ? " ▾" : " ▴") : ""}
                </button>
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.slice(0, ROWS).map((row, i) => (
            <tr key={i}>{row.map((value, k) => <Cell key={k} filter={answer.filter} column={answer.columns[k]} value={value} />)}</tr>
          ))}
        </tbody>
      </table>
      {rows.length > ROWS && <p class="note">The first {ROWS} of {rows.length.toLocaleString()} rows; the download has all.</p>}
      {rows.length === 0 && <p class="empty">No rows.</p>}
    </div>
  );
}
