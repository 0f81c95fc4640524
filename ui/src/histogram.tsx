// Events over time: bars by uPlot, alerts in red over them; a drag selects a range.
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Histogram as Data } from "./api";

const HEIGHT = 96;

function colours(el: Element) {
  const style = getComputedStyle(el);
  const of = (name: string) => style.getPropertyValue(name).trim();
  return { bar: of("--bar"), alert: of("--critical"), axis: of("--dim"), grid: of("--line") };
}

function options(el: HTMLElement, data: Data, onRange: (from: number, to: number) => void): uPlot.Options {
  const c = colours(el);
  const bars = uPlot.paths.bars!({ size: [0.9, 40], align: 1 });
  const axis = { stroke: c.axis, grid: { stroke: c.grid, width: 1 }, ticks: { show: false }, font: "11px system-ui" };
  return {
    width: el.clientWidth,
    height: HEIGHT,
    padding: [6, 8, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { show: false } },
    scales: { x: { time: true, range: () => [data.from / 1000, data.to / 1000] }, y: { range: (_u, _min, max) => [0, Math.max(1, max)] } },
    axes: [axis, { ...axis, size: 44 }],
    series: [
      {},
      { label: "events", paths: bars, fill: c.bar, width: 0, points: { show: false } },
      { label: "alerts", paths: bars, fill: c.alert, width: 0, points: { show: false } },
    ],
    hooks: {
      setSelect: [
        (u) => {
          if (u.select.width < 3) return;
          const from = u.posToVal(u.select.left, "x") * 1000;
          const to = u.posToVal(u.select.left + u.select.width, "x") * 1000;
          onRange(Math.floor(from), Math.ceil(to));
        },
      ],
    },
  };
}

export function Histogram({ data, onRange }: { data: Data; onRange: (from: number, to: number) => void }) {
  const box = useRef<HTMLDivElement>(null);
  useEffect(() => {
    const el = box.current!;
    const x = data.buckets.map((_, i) => (data.from + i * data.interval_ms) / 1000);
    const plot = new uPlot(options(el, data, onRange), [x, data.buckets.map((b) => b[0]), data.buckets.map((b) => b[1] || null)], el);
    const resize = () => plot.setSize({ width: el.clientWidth, height: HEIGHT });
    addEventListener("resize", resize);
    return () => {
      removeEventListener("resize", resize);
      plot.destroy();
    };
  }, [data]);
  const most = Math.max(0, ...data.buckets.map((b) => b[0]));
  return <div class="histogram" ref={box} role="img" aria-label={`${data.total} events over time, at most ${most} in ${data.interval_ms / 1000} seconds`} />;
}
