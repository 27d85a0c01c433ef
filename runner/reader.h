/* What the files that read a configuration share. */
#ifndef FOVEA_RUNNER_READER_H
#define FOVEA_RUNNER_READER_H

#include "config.h"

typedef struct FvReader {
  FvConfig *config;
  const FvConfigSources *sources;
  FvProblems *problems;
  int step_count;
  unsigned kinds; /* 1 << type of the output that is being read; 0: none is */
} FvReader;

/* values.c. What may be repeated of a value in a message. */
const char *fv_shown(const FvYamlNode *node);
bool fv_in_list(const char *word, const char *const *list);
bool fv_expect_kind(FvReader *reader, const FvYamlNode *node, FvYamlKind kind, const char *what);
void fv_read_value(FvReader *reader, const FvKey *key, const FvYamlNode *node, FvPipelineValue *value);
/* Reads the values of a mapping into target and reports strange and missing keys. False when it is no mapping. */
bool fv_read_section(FvReader *reader, const FvSection *section, const FvYamlNode *node, void *target);
/* Finds the entry that a name refers to, or reports; entries begin with their name. */
void *fv_find_named(FvReader *reader, GPtrArray *entries, const FvYamlNode *node, const char *what);

/* outputs.c */
void fv_read_output(FvReader *reader, const FvYamlNode *node);
/* What two cameras or two outputs must not share. */
void fv_check_shared_outputs(FvReader *reader);

/* steps.c */
void fv_read_steps(FvReader *reader, const FvYamlNode *node, GPtrArray *chain);

#endif
