#!/bin/sh
# Runs one fuzz target, or all, and prints a table; ends with 1 if one crashed.
# TARGET=all RUNS=10000000 SECONDS_MAX=0 (no limit) fuzz/run.sh
# COMPARES=0 does not trace comparisons: for what reads tables, since the reader of csv compares
# so much while it is made that most of the time goes there.
set -eu
cd "$(dirname "$0")"
TARGET=${TARGET:-all} RUNS=${RUNS:-10000000} SECONDS_MAX=${SECONDS_MAX:-0}
COMPARES=${COMPARES:-1}
triple=$(rustc -vV | sed -n 's/^host: //p')
program=target/$triple/release/fuzz

# Coverage as libFuzzer wants it, from the stable compiler. With an explicit target it concerns
# neither build scripts nor macros.
coverage="-C passes=sancov-module"
options="level=4 inline-8bit-counters pc-table"
[ "$COMPARES" = 0 ] || options="$options trace-compares"
for option in $options; do
  coverage="$coverage -C llvm-args=-sanitizer-coverage-$option"
done
RUSTFLAGS="$coverage" cargo build --release --locked --target "$triple"

if [ "$TARGET" = all ]; then
  TARGET=$(FUZZ_TARGET=? "$program" 2>/dev/null || true)
fi
crashed=0
table=target/table.txt
printf '%-16s %12s %10s %8s %8s\n' target executions exec/s corpus crashes | tee "$table"
for name in $TARGET; do
  corpus=target/corpus/$name
  log=target/$name.log
  bytes_max=$(FUZZ_TARGET=$name FUZZ_SEEDS=$corpus "$program" 2>target/seeds.log | tail -1)
  mkdir -p target/crashes
  status=0
  begun=$(date +%s)
  FUZZ_TARGET=$name "$program" "$corpus" -runs="$RUNS" -max_len="$bytes_max" -seed=1 \
    -max_total_time="$SECONDS_MAX" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -verbosity=1 -artifact_prefix="target/crashes/$name-" >"$log" 2>&1 || status=1
  crashed=$((crashed | status))
  took=$(($(date +%s) - begun))
  count=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  printf '%-16s %12s %10s %8s %8s\n' "$name" "${count:-?}" \
    "$((${count:-0} / (took > 0 ? took : 1)))" "$(ls "$corpus" | wc -l)" "$status" | tee -a "$table"
done
exit $crashed
