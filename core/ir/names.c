#include "ir/names.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

void fv_names_init(FvNames *names) {
  *names = (FvNames){0};
  if (getrandom(&names->seed, sizeof names->seed, GRND_NONBLOCK) < 0) names->seed = (uint64_t)(uintptr_t)names;
}

void fv_names_finish(FvNames *names) {
  free(names->slots);
  *names = (FvNames){0};
}

/* FNV-1a over the seed, with a final mix so that the low bits depend on everything. */
static uint64_t hash_name(const FvNames *names, const char *name) {
  uint64_t hash = 0xcbf29ce484222325u ^ names->seed;
  for (const unsigned char *at = (const unsigned char *)name; *at; at++) hash = (hash ^ *at) * 0x100000001b3u;
  return (hash ^ hash >> 32) * 0x9e3779b97f4a7c15u >> 20;
}

/* The slot that holds name, or the free one where it belongs. */
static FvValue **locate(const FvNames *names, const char *name) {
  size_t at = hash_name(names, name) & (names->capacity - 1);
  while (names->slots[at] && strcmp(names->slots[at]->name, name) != 0) at = (at + 1) & (names->capacity - 1);
  return &names->slots[at];
}

FvValue *fv_names_find(const FvNames *names, const char *name) { return names->capacity ? *locate(names, name) : NULL; }

static bool grow(FvNames *names) {
  FvNames grown = *names;
  grown.capacity = names->capacity ? names->capacity * 2 : 256;
  grown.slots = calloc(grown.capacity, sizeof *grown.slots);
  if (!grown.slots) return false;
  for (size_t i = 0; i < names->capacity; i++)
    if (names->slots[i]) *locate(&grown, names->slots[i]->name) = names->slots[i];
  free(names->slots);
  *names = grown;
  return true;
}

bool fv_names_add(FvNames *names, FvValue *value) {
  if (names->count * 2 >= names->capacity && !grow(names)) return false;
  *locate(names, value->name) = value;
  names->count++;
  return true;
}
