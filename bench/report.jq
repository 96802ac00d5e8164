# report.jq: the lines of many runs as a page of Markdown: medians with the lowest and the highest of each benchmark.
# Input: the runs (slurped); $conditions, $date, $git, $load, $seconds, $repeats, $remarks.

def median: sort | (.[(length - 1) / 2 | floor] + .[length / 2 | floor]) / 2;

# Three digits.
def digits: if . >= 100 then round elif . >= 10 then . * 10 | round / 10 elif . >= 1 then . * 100 | round / 100
  else . * 1000 | round / 1000 end;
def short: if . == null then "" elif . >= 999500 then "\(. / 1e6 | digits) M" elif . >= 9995 then "\(. / 1e3 | digits) k"
  else "\(digits)" end;

# "median (lowest–highest)" of a figure of these runs; nothing where it was not measured.
def spread(figure): map(figure | values) | if length == 0 then "" else
  "\(median | short) (\(min | short)–\(max | short))" end;

# Groups of runs that have the same name, in the order of their first.
def in_order(name): to_entries | group_by(.value | name) | sort_by(.[0].key) | .[] | map(.value);

def row: "| " + join(" | ") + " |";

$conditions[0] as $here |
"# Benchmarks of \($date)", "",
"- commit \($git), \($here.cc), `\($here.flags)`",
"- \($here.host): \($here.cpu), \($here.kernel); load average before: \($load)",
"- volatile: nothing is written to disk; three replicas on one core and the load generator on another, unless named otherwise",
"- \($repeats) runs of \($seconds) s each; the median, and in brackets the lowest and the highest",
"- calibration before: cache line there and back \($here.calibration.cacheline_pingpong_ns // 0 | digits) ns, " +
"SHA-512 of 150 bytes \($here.calibration.sha512_150b_ns // 0 | digits) ns, " +
"fdatasync of 4 KiB \(($here.calibration.fdatasync_4k_ns // 0) / 1e3 | digits) us",
($remarks[0][] | "- **\(.)**"), "",
(["benchmark", "operations/s", "server CPU s/M", "server cycles/op", "client CPU s/M", "p50 us", "p99 us", "failover ms",
  "errors", "cache line ns"] | row),
("|---" * 10 + "|"),
(in_order([.benchmark, .operations_name]) |
  [(.[0].benchmark + (.[0].operations_name // "" | if . == "" then "" else " " + . end)),
   spread(.ops_per_second),
   spread(.server_cpu_seconds_per_million_ops),
   spread(.server_busy_cycles_per_op),
   spread(.client_cpu_seconds_per_million_ops),
   spread(.latency_ns.p50 | values / 1e3),
   spread(.latency_ns.p99 | values / 1e3),
   spread(.failover_ns | values / 1e6),
   (map(.errors // .violations | values) | if length == 0 then "" else "\(add)" end),
   spread(.calibration.cacheline_pingpong_ns)] | row), "",
(in_order(.benchmark) | "- \(.[0].benchmark): `\(.[0].command)`")
