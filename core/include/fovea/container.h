/* The .fovea file: a model with everything that belongs to it, verified to the last bit before it is parsed. docs/format.md defines it. */
#ifndef FOVEA_CONTAINER_H
#define FOVEA_CONTAINER_H

#include <fovea/model.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FV_MAX_CONTAINER_SECTIONS 16
#define FV_MAX_NOTES 64         /* of provenance, of the accuracy record, and of the calibration summary */
#define FV_MAX_NOTE_BYTES 4095  /* of one value */

typedef struct FvNote {
  const char *key, *value;
} FvNote;

#define FV_SCORE_BINS 64
#define FV_MAX_SCORE_GROUPS 256

/* How often which score was seen on the calibration pictures, so that drift can be told later: bin i counts scores from i/64 up to (i + 1)/64, the last one 1 too. */
typedef struct FvScoreHistogram {
  const char *group; /* "all", or a class or group of classes; 1 to 63 bytes, clean UTF-8 */
  int64_t counts[FV_SCORE_BINS];
} FvScoreHistogram;

typedef enum FvWeightKind { FV_WEIGHTS_F32 = 0, FV_WEIGHTS_F16 } FvWeightKind;

typedef struct FvContainerParams {
  FvWeightKind weights;    /* how f32 weights of convolutions and matrix products are stored; everything else stays as it is */
  const char *entropy;     /* coder of graph, weights and description: a name of fv_entropy_coder, "none" or "auto", which is also what NULL is: for each
                              tensor the smallest, as long as all together decode within decode_ms */
  double decode_ms;        /* of auto, on one thread and by a fixed model of the coders' speeds, so that the same model gives the same file everywhere; 0: 1.3 ns
                              for each element of the weights, which is less than what making the graph ready takes; negative: no limit */
  const char *sign_key;    /* file with a signing key; NULL: not signed */
  bool encrypt;            /* graph, weights and description, with the key that the environment names */
  const char *command;     /* for the provenance; may be NULL */
  const FvNote *accuracy;  /* what was measured, and on what */
  int accuracy_count;
  const FvNote *calibration; /* with what ranges were found: pictures, method */
  int calibration_count;
  const FvScoreHistogram *scores; /* of the calibration pictures */
  int score_count;
} FvContainerParams;

/* The names of the coders there are, by index from 0; NULL at the end. */
FV_API const char *fv_entropy_coder(int index);
/* Writes the model, with its input shapes fixed as it was opened and its description, atomically: the file is complete or not there. */
FV_API int fv_container_write(const FvModel *model, const char *path, const FvContainerParams *params, FvError *err);
/* Signs a file in place (atomically), replacing a signature that is there. The file is verified first. */
FV_API int fv_container_sign(const char *path, const char *sign_key, FvError *err);

typedef struct FvSectionInfo {
  const char *name;  /* "weights"; "unknown" when this build does not know the type */
  const char *coder; /* "none" */
  bool encrypted;
  int64_t stored_bytes, decoded_bytes;
} FvSectionInfo;

typedef enum FvSignatureState {
  FV_SIGNATURE_NONE = 0,  /* not signed */
  FV_SIGNATURE_UNTRUSTED, /* signed, and the signature fits, but the key is not among those trusted */
  FV_SIGNATURE_TRUSTED,
} FvSignatureState;

typedef struct FvContainerInfo {
  int64_t file_bytes;
  FvSignatureState signature;
  char signer[65];     /* public key in hexadecimal, "" when not signed */
  char signer_name[64]; /* as the trusted key's file says */
  int section_count;
  FvSectionInfo sections[FV_MAX_CONTAINER_SECTIONS];
  FvNote *provenance, *accuracy, *calibration; /* owned; where the file came from, what was measured, how it was calibrated */
  int provenance_count, accuracy_count, calibration_count;
  FvScoreHistogram *scores;                    /* owned */
  int score_count;
} FvContainerInfo;

/* Verifies a file in constant memory. trusted_keys is a directory of public keys; NULL: the user's and the system's. On success release *info with
 * fv_container_info_finish. */
FV_API int fv_container_verify(const char *path, const char *trusted_keys, FvContainerInfo *info, FvError *err);
FV_API void fv_container_info_finish(FvContainerInfo *info);

/* What the constants of one operator take in a .fovea file; those of a DequantizeLinear belong to the operator that uses them. */
typedef struct FvLayerBytes {
  const char *node, *operation; /* owned by the model */
  double bytes;                 /* of all its constants; those that several operators use count for the first */
  int64_t weights;              /* elements of the largest constant; what follows is of that one */
  FvDtype dtype;
  double weight_bits;           /* stored, for each of them */
  const char *form, *coder;     /* "plain", "half" …; "rans", or one for each byte of an element: "range+none" */
} FvLayerBytes;
/* Operators that have constants, in the order in which they run. Returns how many there are, which may be more than capacity; 0 for other files. */
FV_API int fv_container_layers(const FvModel *model, FvLayerBytes *layers, int capacity);

/* Does the file begin like a .fovea file? False, too, when it cannot be read. */
FV_API bool fv_container_is(const char *path);

typedef enum FvKeyKind { FV_KEY_SIGNING = 0, FV_KEY_ENCRYPTION } FvKeyKind;
/* Writes STEM.key, readable by its owner only, and for signing STEM.pub. Files that exist are left alone: FV_ERR_IO. */
FV_API int fv_key_create(const char *stem, FvKeyKind kind, FvError *err);

#ifdef __cplusplus
}
#endif
#endif
