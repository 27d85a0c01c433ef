/* Shared by the parts that make descriptions. */
#ifndef FOVEA_VISION_DESCRIBE_INTERNAL_H
#define FOVEA_VISION_DESCRIBE_INTERNAL_H

#include "vision/describe.h"

/* Words of the YAML file, NULL-terminated, in the order of the enums. */
extern const char *const fv_resize_names[], *const fv_channel_names[], *const fv_activation_names[], *const fv_box_names[];

/* The first readable of KIND/FILE below $FOVEA_CONFIG_DIR, the user's and the installed configuration; malloc'ed, or NULL. */
char *fv_config_find(const char *kind, const char *file);
/* What a `labels` value means: a path as it is or beside the file `beside` (when not NULL), else a name for labels/NAME.txt. malloc'ed, or NULL when there is no such file. */
char *fv_labels_find(const char *name, const char *beside);

/* What holds where neither graph nor file says otherwise. */
void fv_description_set_defaults(FvDescription *description);

/* fv_description_read_labels from memory; path is for messages. */
int fv_description_parse_labels(FvDescription *description, const char *text, size_t size, const char *path, FvError *err);
/* Takes ownership of labels and its strings. */
void fv_description_set_labels(FvDescription *description, char **labels, int count);
void fv_labels_free(char **labels, int count);
/* A label of length bytes as we keep it: NULL when it is too long, holds control characters or is not UTF-8 (or memory is out). */
char *fv_label_copy(const char *text, size_t length);

#endif
