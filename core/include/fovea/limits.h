/* The bounds on everything that comes from outside. A file or frame beyond one of them is refused with FV_ERR_LIMIT
 * and a sentence that names the bound. They are generous for detectors and small enough that no product of two of
 * them overflows int64_t. */
#ifndef FOVEA_LIMITS_H
#define FOVEA_LIMITS_H

#include <stdint.h>

#define FV_MAX_RANK 8                           /* dimensions of a tensor */
#define FV_MAX_DIM INT64_C(0x7fffffff)          /* one dimension */
#define FV_MAX_ELEMENTS (INT64_C(1) << 31)      /* elements of one tensor */
#define FV_MAX_MODEL_BYTES (INT64_C(2) << 30)   /* a model file, and each external-data file */
#define FV_MAX_NODES 65536                      /* operators in a graph */
#define FV_MAX_VALUES 262144                    /* tensors in a graph */
#define FV_MAX_NODE_IO 1024                     /* inputs, or outputs, of one operator */
#define FV_MAX_NAME 1023                        /* bytes of a name */
#define FV_MAX_ARENA_BYTES (INT64_C(4) << 30)   /* activations of one session */
#define FV_MAX_FRAME_SIDE 16384                 /* pixels, width or height of a frame */
#define FV_MAX_LABELS 65536                     /* class names */
#define FV_MAX_LABEL_BYTES 255                  /* bytes of one class name */
#define FV_MAX_CANDIDATES 30000                 /* boxes kept before non-maximum suppression, best scores first */
#define FV_MAX_DETECTIONS 4096                  /* boxes after it */
#define FV_MAX_THREADS 64
#define FV_MAX_CONFIG_BYTES (INT64_C(4) << 20)  /* YAML, label and JSON files */

#endif
