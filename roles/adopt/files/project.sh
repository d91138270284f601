# shellcheck shell=sh
# Says where the Compose project $1 stands, which containers it has, and which of its services its files would make anew. Reads only.
# Lines of two words, a tab between: folder, files, env, container, moved, broken. Nothing where there is no such project.
containers() {
  docker ps --all --no-trunc --filter "label=com.docker.compose.project=$1" --filter label=com.docker.compose.oneoff=False --format "$2"
}
label() {
  containers "$1" "{{.Label \"com.docker.compose.$2\"}}" | head -n 1
}
name=$1
folder=$(label "$name" project.working_dir)
[ -n "$folder" ] || exit 0
files=$(label "$name" project.config_files)
env=$(label "$name" project.environment_file)
printf 'folder\t%s\nfiles\t%s\nenv\t%s\n' "$folder" "$files" "$env"
containers "$name" 'container	{{.ID}}'

cd "$folder" 2>/dev/null || { printf 'broken\tits folder is gone\n'; exit 0; }
set -- --project-name "$name" --project-directory "$folder"
IFS=,
for file in $files; do set -- "$@" --file "$file"; done
for file in $env; do set -- "$@" --env-file "$file"; done
unset IFS
if ! hashes=$(docker compose "$@" config --hash '*' 2>&1); then
  printf 'broken\t%s\n' "$(printf '%s\n' "$hashes" | tail -n 1)"
  exit 0
fi
containers "$name" '{{.Label "com.docker.compose.service"}} {{.Label "com.docker.compose.config-hash"}}' | sort -u | while read -r service hash; do
  printf '%s\n' "$hashes" | grep -qx "$service $hash" || printf 'moved\t%s\n' "$service"
done
exit 0
