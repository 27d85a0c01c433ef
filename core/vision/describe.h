/* Making descriptions: from a graph that is recognised, from YAML, from an exporter's metadata. */
#ifndef FOVEA_VISION_DESCRIBE_H
#define FOVEA_VISION_DESCRIBE_H

#include <fovea/description.h>

#include "ir/graph.h"

/* Key-value pairs that a model file carries (ONNX metadata_props). Keys we read: "fovea.description" (our YAML), and what common exporters
 * write ("names", "stride", "task", "imgsz"). */
typedef struct FvMetadata {
  const char *key, *value;
} FvMetadata;

/* Fills *description from a prepared graph (all shapes known). FV_ERR_CONFIG with one sentence, naming the property or file to give, when the
 * outputs are not those of a known family; preprocess.width and height and family NONE are then still set. */
int fv_description_infer(FvDescription *description, const char *name, const FvGraph *graph, const FvMetadata *metadata, int metadata_count, FvError *err);
/* Reads our YAML over what *description already holds: keys that are absent keep their value. path is for messages. */
int fv_description_read_yaml(FvDescription *description, const char *text, size_t size, const char *path, FvError *err);
/* The same for text that travelled inside a model: it may name a list of labels, but no file. */
int fv_description_read_embedded(FvDescription *description, const char *text, size_t size, const char *path, FvError *err);
/* The YAML that reads as this description: everything in it, labels inline. *text is malloc'ed and size bytes long. */
int fv_description_write(const FvDescription *description, char **text, size_t *size, FvError *err);
/* Finds the YAML for a model: `config` if given (an error when it cannot be read), else MODEL.yaml beside the model, else <name>.yaml in
 * $FOVEA_CONFIG_DIR/models, the user's and the installed configs/models. Returns a malloc'ed path, or NULL when there is none. */
char *fv_description_find(const char *model_path, const char *name, const char *config);
/* One class name a line; CR, blank lines at the end and a UTF-8 mark are tolerated. Replaces labels and sets class_count if it was 0. When the count differs
 * from class_count: an error with both numbers. */
int fv_description_read_labels(FvDescription *description, const char *path, FvError *err);
/* Checks that the parts fit together (strides, anchors, sizes, thresholds in range). */
int fv_description_check(const FvDescription *description, FvError *err);
/* A deep copy. */
int fv_description_copy(FvDescription *to, const FvDescription *from, FvError *err);
/* Frees what it owns and zeroes it. */
void fv_description_finish(FvDescription *description);

#endif
