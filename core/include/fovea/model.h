/* Models: a file, verified and parsed. Immutable after opening; share it between threads. */
#ifndef FOVEA_MODEL_H
#define FOVEA_MODEL_H

#include <fovea/description.h>
#include <fovea/tensor.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct FvModel FvModel;

typedef struct FvInputShape {
  const char *name; /* of the graph input; NULL for the first */
  int rank;
  int64_t dims[FV_MAX_RANK]; /* 0 keeps what the file says */
} FvInputShape;

/* What becomes of a .fovea file that is not signed by a trusted key. A signature that does not fit its file is refused in any case. */
typedef enum FvSignaturePolicy {
  FV_SIGNATURE_WARN = 0, /* is loaded, with a warning in the log */
  FV_SIGNATURE_OFF,      /* is loaded */
  FV_SIGNATURE_REQUIRE,  /* is refused, and so is every ONNX file: those are never signed */
} FvSignaturePolicy;
/* "off", "warn" or "require"; -1 for another word. */
FV_API int fv_signature_policy_from_name(const char *name);

typedef struct FvModelParams {
  const char *config;            /* description YAML; NULL: search as <fovea/description.h> says */
  const char *labels;            /* class names, one a line; NULL: those of the description */
  const FvInputShape *input_shapes; /* fixes symbolic dimensions; those left open become 1 (batch) or the description's size */
  int input_shape_count;
  FvSignaturePolicy signature;
  const char *trusted_keys; /* directory of public keys (*.pub); NULL: $XDG_CONFIG_HOME/fovea/trusted (or ~/.config) and /etc/fovea/trusted */
} FvModelParams;

/* fv_model_open(path, &fv_model_params(.labels = "coco.txt"), &model, &err) */
#define fv_model_params(...) ((FvModelParams){__VA_ARGS__})

/* The model that is taken where none is named. */
#define FV_DEFAULT_MODEL "fovea-street"

/* What opening a model by this name reads: a name without a slash and without an ending that is no file in the working directory is looked for, as NAME/NAME.fovea,
 * NAME.fovea, NAME/NAME.onnx or NAME.onnx, in $FOVEA_MODEL_DIR, $XDG_DATA_HOME/fovea/models (or ~/.local/share) and the installed share/fovea/models. Anything else is a path and
 * comes back as it is, whether it exists or not. NULL stands for FV_DEFAULT_MODEL. *ret_path is malloc'ed. Errors: FV_ERR_IO, naming the folders. */
FV_API int fv_model_find(const char *name, char **ret_path, FvError *err);

/* Opens, verifies and parses a .fovea file, or parses an ONNX file; the first bytes tell which. name is a path, or what fv_model_find looks for. params may be NULL. On success *model is a new reference.
 * Errors: FV_ERR_IO, FV_ERR_FORMAT, FV_ERR_UNSUPPORTED (names the node), FV_ERR_LIMIT, FV_ERR_CONFIG (also: not signed as asked, or no key to decrypt with). */
FV_API int fv_model_open(const char *name, const FvModelParams *params, FvModel **model, FvError *err);
/* The same from memory, which is copied where needed; name stands in for the path in messages. External data is refused. */
FV_API int fv_model_open_memory(const void *data, size_t size, const char *name, const FvModelParams *params, FvModel **model,
                                FvError *err);
FV_API FvModel *fv_model_ref(FvModel *model);
/* Drops a reference and clears the pointer. Accepts NULL and a pointer to NULL. */
FV_API void fv_model_destroy(FvModel **model);

typedef struct FvValueInfo {
  const char *name; /* owned by the model */
  FvDtype dtype;
  int rank; /* -1: not known before planning */
  int64_t dims[FV_MAX_RANK];
} FvValueInfo;

FV_API int fv_model_input_count(const FvModel *model);
FV_API int fv_model_output_count(const FvModel *model);
FV_API FvValueInfo fv_model_input(const FvModel *model, int index);
FV_API FvValueInfo fv_model_output(const FvModel *model, int index);
/* True when the value of this input decides a shape (Reshape's shape, Slice's starts, …): it must then be given to
 * fv_plan_create as a constant. */
FV_API bool fv_model_input_is_shape(const FvModel *model, int index);

/* Never NULL; family is FV_FAMILY_NONE when the outputs are not understood, and fv_model_describe_error says why. */
FV_API const FvDescription *fv_model_description(const FvModel *model);
FV_API const char *fv_model_describe_error(const FvModel *model);

typedef struct FvModelInfo {
  const char *path;          /* as opened; of a name, what was found */
  const char *format;        /* "onnx" or "fovea" */
  const char *producer;      /* exporter's name and version, may be empty */
  int opset;                 /* of the default domain */
  int64_t file_bytes;
  int64_t parameters;        /* elements of all weights */
  int node_count;            /* operators in the file */
} FvModelInfo;
FV_API FvModelInfo fv_model_info(const FvModel *model);
/* SHA-256 of the file's bytes (not of ONNX external data), 64 hexadecimal digits. The first call reads the file again, since opening has better things to do; "" when it is not the
 * file any more that was opened. Owned by the model. */
FV_API const char *fv_model_sha256(const FvModel *model);

typedef struct FvOperatorCount {
  const char *name; /* "Conv"; static storage */
  int count;
} FvOperatorCount;
/* The operators of the file by how often they occur, most frequent first. Writes up to capacity rows and returns how many there are. */
FV_API int fv_model_operators(const FvModel *model, FvOperatorCount *operators, int capacity);

#ifdef __cplusplus
}
#endif
#endif
