# shellcheck shell=bash
# Sourced by the tools: runs named phases, prints how long each took, keeps the log of each, and ends with the list.

PHASE_LOGS=${PHASE_LOGS:-.ansible/logs}
mkdir -p "$PHASE_LOGS"
phase_failed=()
phase_beside=()

# phase NAME COMMAND...: quiet unless it fails; PHASE_LIVE=1 shows its output as it comes.
phase() {
  local name=$1 start=$SECONDS status=0 log
  shift
  log="$PHASE_LOGS/${name//[^a-zA-Z0-9.-]/_}.log"
  if [ -n "${PHASE_LIVE:-}" ]; then
    printf -- '---- %s\n' "$name"
    "$@" 2>&1 | tee "$log" || status=${PIPESTATUS[0]}
  else
    "$@" >"$log" 2>&1 || status=$?
  fi
  if [ "$status" = 0 ]; then
    printf 'ok      %4d s  %s\n' $((SECONDS - start)) "$name"
  else
    printf 'FAILED  %4d s  %s (status %d)\n' $((SECONDS - start)) "$name" "$status"
    [ -n "${PHASE_LIVE:-}" ] || tail -n "${PHASE_TAIL:-80}" "$log" | sed 's/^/    | /'
    phase_failed+=("$name")
  fi
}

# phase_begin NAME COMMAND...: the same beside what follows, for phases that mostly wait; phases_join shows what came of them.
phase_begin() {
  local told
  told=$(mktemp)
  (
    phase "$@"
    [ ${#phase_failed[@]} -eq 0 ]
  ) >"$told" 2>&1 &
  phase_beside+=("$! $told $1")
}

phases_join() {
  local pid told name each
  for each in "${phase_beside[@]}"; do
    read -r pid told name <<<"$each"
    wait "$pid" || phase_failed+=("$name")
    cat "$told"
    rm -f "$told"
  done
  phase_beside=()
}

# phases_end: says which phases failed; its status is the run's.
phases_end() {
  if [ ${#phase_failed[@]} -gt 0 ]; then
    printf 'Failed: %s\n' "${phase_failed[*]}"
    return 1
  fi
}

# stage: unpacks what a user would install to where ansible-test and the doc linters want a collection: a real directory of its name.
stage() {
  local target=.ansible/stage/ansible_collections/proximity/platform build=.ansible/build
  rm -rf "$target" "$build"
  mkdir -p "$target" "$build"
  ansible-galaxy collection build --force --output-path "$build" >/dev/null
  tar -xzf "$build"/proximity-platform-*.tar.gz -C "$target"
  # ansible-test asks git which files there are.
  git -C "$target" init -q && git -C "$target" add -A
}
