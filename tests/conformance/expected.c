#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "conformance.h"

static bool add(Expected *expected, const char *line) {
  bool optional = *line == '?';
  line += optional;
  size_t length = strcspn(line, " \t\r\n");
  if (length == 0 || *line == '#') return true;
  char **names = realloc(expected->names, ((size_t)expected->count + 1) * sizeof *names);
  if (!names) return false;
  expected->names = names;
  bool *options = realloc(expected->optional, ((size_t)expected->count + 1) * sizeof *options);
  if (!options) return false;
  expected->optional = options;
  options[expected->count] = optional;
  names[expected->count] = strndup(line, length);
  return names[expected->count++] != NULL;
}

bool expected_read(Expected *expected, const char *path) {
  char line[1024];
  *expected = (Expected){0};
  FILE *file = fopen(path, "re");
  bool good = file != NULL;
  while (good && fgets(line, sizeof line, file)) good = add(expected, line);
  if (file) fclose(file);
  expected->seen = calloc((size_t)expected->count + 1, sizeof *expected->seen);
  return good && expected->seen;
}

int expected_find(const Expected *expected, const char *name) {
  for (int i = 0; i < expected->count; i++)
    if (strcmp(expected->names[i], name) == 0) return i;
  return -1;
}

void expected_finish(Expected *expected) {
  for (int i = 0; i < expected->count; i++) free(expected->names[i]);
  free(expected->names);
  free(expected->optional);
  free(expected->seen);
  *expected = (Expected){0};
}
