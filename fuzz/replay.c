/* Stands in for libFuzzer: runs the target once on each file given, or in a folder given. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/file.h"
#include "fuzz.h"

enum { PATH_SIZE = 4096, MAX_SEED_BYTES = 16 << 20 };

static int replay_file(const char *path) {
  void *data;
  size_t size;
  FvError err;
  if (fv_file_read(path, MAX_SEED_BYTES, &data, &size, &err) < 0) {
    fprintf(stderr, "%s\n", err.message);
    return -1;
  }
  printf("%s\n", path);
  fflush(stdout); /* tells which file it was, if the next line is a crash */
  uint8_t *exact = malloc(size ? size : 1); /* without the NUL behind, so that a sanitizer sees the end */
  for (size_t i = 0; exact && i < size; i++) exact[i] = ((uint8_t *)data)[i];
  if (exact) LLVMFuzzerTestOneInput(exact, size);
  free(exact);
  free(data);
  return 1;
}

/* Returns the number of files replayed, or -1. */
static int replay(const char *path) {
  struct dirent **entries;
  int count = scandir(path, &entries, NULL, alphasort), replayed = 0;
  if (count < 0) return replay_file(path);
  for (int i = 0; i < count; i++) {
    char below[PATH_SIZE];
    snprintf(below, sizeof below, "%.3500s/%.255s", path, entries[i]->d_name);
    if (entries[i]->d_name[0] != '.' && replayed >= 0) {
      int result = replay_file(below);
      replayed = result < 0 ? -1 : replayed + result;
    }
    free(entries[i]);
  }
  free(entries);
  return replayed;
}

int main(int argc, char **argv) {
  int total = 0;
  for (int i = 1; i < argc; i++) {
    int replayed = replay(argv[i]);
    if (replayed < 0) return 1;
    total += replayed;
  }
  printf("%d replayed\n", total);
  return total == 0;
}
