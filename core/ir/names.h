/* Values by name: open addressing over a table that doubles. */
#ifndef FOVEA_IR_NAMES_H
#define FOVEA_IR_NAMES_H

#include <stdint.h>

#include "ir/graph.h"

typedef struct FvNames {
  FvValue **slots;
  size_t capacity, count; /* capacity is a power of two or 0 */
  uint64_t seed;          /* chosen at random, so that a file cannot aim at collisions */
} FvNames;

void fv_names_init(FvNames *names);
void fv_names_finish(FvNames *names);
FvValue *fv_names_find(const FvNames *names, const char *name);
/* The name must not be there yet. False when memory is out. */
bool fv_names_add(FvNames *names, FvValue *value);

#endif
