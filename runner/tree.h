/* A YAML file as a bounded tree of nodes that know where they stand.
 *
 * The subset is what a configuration needs: mappings with scalar keys, sequences, scalars. Aliases, tags, a second
 * document and keys given twice are errors. In scalar values ${NAME} and ${NAME:-default} are replaced from the
 * environment, and $${ stands for a plain ${. */
#ifndef FOVEA_RUNNER_TREE_H
#define FOVEA_RUNNER_TREE_H

#include <stdbool.h>

#include "problems.h"

#define FV_YAML_MAX_DEPTH 32
#define FV_YAML_MAX_NODES 65536
#define FV_YAML_MAX_TEXT 65536 /* bytes of one scalar after replacement */

typedef enum FvYamlKind { FV_YAML_SCALAR, FV_YAML_SEQUENCE, FV_YAML_MAPPING } FvYamlKind;

typedef struct FvYamlNode FvYamlNode;
struct FvYamlNode {
  FvYamlKind kind;
  FvPlace place;
  const char *key; /* in a mapping, else NULL */
  FvPlace key_place;
  const char *text; /* of a scalar, UTF-8 */
  bool quoted;      /* a string even where it looks like a number */
  bool replaced;    /* has text from the environment: not to be repeated in messages */
  const char *variable; /* the whole text is the value of this one; else NULL */
  bool broken;      /* a problem about it was reported already */
  FvYamlNode *first, *next;
  int count; /* children */
};

typedef struct FvYaml FvYaml;

/* Value of an environment variable or NULL. */
typedef const char *(*FvEnvFn)(const char *name, void *user);

/* Parses length bytes. Syntax errors and missing variables go to problems; returns NULL when there was no tree to be had. A NULL env
 * leaves ${…} as it is. */
FvYaml *fv_yaml_parse(const char *data, size_t length, FvEnvFn env, void *user, FvProblems *problems);
void fv_yaml_free(FvYaml *yaml);
const FvYamlNode *fv_yaml_root(const FvYaml *yaml);
/* Child of a mapping by key, or NULL. */
const FvYamlNode *fv_yaml_find(const FvYamlNode *mapping, const char *key);

/* Reads a regular file of at most max_bytes; NULL with a sentence in *error. Free both with g_free(). */
char *fv_read_bounded(const char *path, gsize max_bytes, gsize *length, char **error);

#endif
