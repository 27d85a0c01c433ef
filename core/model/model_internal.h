/* What plans need of a model beside its public face. */
#ifndef FOVEA_MODEL_MODEL_INTERNAL_H
#define FOVEA_MODEL_MODEL_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>

#include <fovea/model.h>

#include "ir/graph.h"
#include "import/onnx.h"

/* Tells a file from others and from itself after a change. */
typedef struct FvFileMark {
  dev_t device;
  ino_t number;
  off_t size;
  struct timespec changed;
} FvFileMark;

struct FvModel {
  atomic_int references;
  char *path;          /* as opened, or the name given for memory */
  char *name;          /* file name without its ending */
  bool from_memory;
  int64_t file_bytes;
  FvFileMark mark;     /* which file it was */
  pthread_mutex_t hashing;
  char sha256[65];     /* of the file, hexadecimal; "" until asked for. Under `hashing` */
  bool is_container;   /* a .fovea file */
  void *bytes;         /* what file.graph borrows from, or NULL */
  FvModelFile file;    /* file.graph: sorted, with the caller's input shapes, otherwise as it was read */
  FvGraph *prepared;   /* shapes known and constants folded; of a container file.graph itself. NULL while an input that decides shapes has no value */
  bool *shape_inputs;  /* by input index */
  FvDescription description;
  FvError describe_error; /* code 0: the family is known */
  FvModel *lender;     /* a model whose memory the graphs borrow, or NULL */
};

/* The graph as read. Clone it, give shape inputs their constants, then fv_graph_prepare. */
const FvGraph *fv_model_raw_graph(const FvModel *model);
/* The prepared graph to clone, or NULL when fv_model_input_is_shape is true of some input. */
const FvGraph *fv_model_prepared_graph(const FvModel *model);

/* For fv_model_sha256: remembers the file at model->path; or hashes what has no file. */
void fv_model_mark_file(FvModel *model);
void fv_model_hash_bytes(FvModel *model, const void *data, size_t size);

/* Steps of opening, in order. Each names the place in its error. */
/* Does the picture that the model takes have dimensions that the file leaves open? */
bool fv_model_has_open_size(const FvModel *model);
/* Writes the caller's shapes, and the size that the description asks for, into the inputs of model->file.graph. */
int fv_model_set_shapes(FvModel *model, const FvModelParams *params, const FvPreprocess *size, FvError *err);
/* Fills shape_inputs; true through *any when there is one. */
int fv_model_find_shape_inputs(FvModel *model, bool *any, FvError *err);

/* Verifies and reads a .fovea file into model->file. *borrows: the graph borrows from data, which is only where the model is not from memory. */
int fv_model_read_container(FvModel *model, const void *data, size_t size, const FvModelParams *params, bool *borrows, FvError *err);

/* The YAML that belongs to a model, read once. */
typedef struct FvModelConfig {
  char *path; /* NULL: there is none */
  void *text;
  size_t size;
} FvModelConfig;

int fv_model_config_read(const FvModel *model, const FvModelParams *params, FvModelConfig *config, FvError *err);
void fv_model_config_finish(FvModelConfig *config);
/* Only what fixes open dimensions: the size of the input. */
int fv_model_config_size(const FvModel *model, const FvModelConfig *config, FvPreprocess *size, FvError *err);
/* Graph, then YAML, then labels; leaves family NONE and describe_error when nobody knows what the outputs mean. */
int fv_model_describe(FvModel *model, const FvModelParams *params, const FvModelConfig *config, FvError *err);

#endif
