/* What a detector's raw outputs mean, and what its input expects.
 *
 * A description is inferred from the graph where that is certain (known families export recognisable shapes), else read from a
 * YAML file: the `config` given, MODEL.yaml beside the model, or configs/models/<model name>.yaml. docs/models.md
 * describes the file. All strings are owned by the description. */
#ifndef FOVEA_DESCRIPTION_H
#define FOVEA_DESCRIPTION_H

#include <stdbool.h>

#include <fovea/error.h>
#include <fovea/limits.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum FvFamily {
  FV_FAMILY_NONE = 0,    /* unknown: infer works, detect does not */
  FV_FAMILY_YOLO_ANCHOR, /* anchors on a grid, decoded or raw: YOLOv3..v5, v7 */
  FV_FAMILY_YOLO_FREE,   /* YOLOv8, v11: [1, 4+C, N], boxes cx,cy,w,h in input pixels, class scores */
  FV_FAMILY_YOLOX,       /* [1, N, 5+C], raw grid offsets or decoded */
  FV_FAMILY_NANODET,     /* GFL heads: class scores and distance distributions per stride */
  FV_FAMILY_FASTESTDET,  /* [1, 5+C, H, W]: objectness, tanh/sigmoid box, class softmax */
  FV_FAMILY_YOLO_FASTEST, /* Yolo-FastestV2: class scores shared by the anchors of a cell */
  FV_FAMILY_SSD,         /* boxes and scores, decoded or against priors (UltraFace, SSD, RetinaNet-like) */
  FV_FAMILY_YUNET,       /* loc, conf, iou against priors, with five landmarks */
  FV_FAMILY_RETINAFACE,  /* loc, conf, landmarks against priors */
  FV_FAMILY_SCRFD,       /* per stride: score, distance boxes, landmarks */
  FV_FAMILY_DETECTIONS,  /* already suppressed: boxes, scores, classes as outputs */
  FV_FAMILY_CLASSIFIER,  /* one score per class */
  FV_FAMILY_EMBEDDING,   /* a feature vector; no labels */
  FV_FAMILY_COUNT
} FvFamily;

typedef enum FvActivationKind { FV_ACT_NONE = 0, FV_ACT_SIGMOID, FV_ACT_SOFTMAX } FvActivationKind;
typedef enum FvBoxCoding {
  FV_BOX_DEFAULT = 0, /* the family's own */
  FV_BOX_RAW,         /* regression against grid, anchors or priors */
  FV_BOX_CXCYWH,      /* centre and size, input pixels */
  FV_BOX_XYXY,        /* corners, input pixels */
  FV_BOX_XYXY_UNIT,   /* corners, 0..1 of the input */
  FV_BOX_YXYX_UNIT    /* ymin, xmin, ymax, xmax, 0..1 */
} FvBoxCoding;
typedef enum FvResize { FV_RESIZE_STRETCH = 0, FV_RESIZE_LETTERBOX, FV_RESIZE_LETTERBOX_TOP_LEFT, FV_RESIZE_CENTER_CROP } FvResize;
typedef enum FvChannelOrder { FV_CHANNELS_RGB = 0, FV_CHANNELS_BGR, FV_CHANNELS_GRAY } FvChannelOrder;

#define FV_MAX_HEAD_STRIDES 8
#define FV_MAX_ANCHORS 16 /* per stride */
#define FV_MAX_HEAD_OUTPUTS 32

typedef struct FvPreprocess {
  int width, height;     /* of the model's input, pixels; filled from the graph when 0 */
  FvResize resize;       /* letterbox keeps the aspect ratio and pads; centre-crop scales the short side and cuts */
  int pad_value;         /* 0..255, every channel, before normalisation */
  FvChannelOrder channels;
  float mean[3];         /* of the input's channel order, in 0..255; input = (pixel - mean) * scale */
  float scale[3];
  bool channels_last;    /* the input is [N, H, W, C] instead of [N, C, H, W] */
} FvPreprocess;

typedef struct FvHead {
  int stride_count;
  int strides[FV_MAX_HEAD_STRIDES];                        /* input pixels per cell */
  int anchor_count[FV_MAX_HEAD_STRIDES];                   /* anchors (or prior sizes) at each stride */
  float anchors[FV_MAX_HEAD_STRIDES][FV_MAX_ANCHORS][2];   /* width, height in input pixels */
  float variance[2];                                       /* centre and size variance of prior-coded boxes */
  int bins;                                                /* GFL distribution length (reg_max + 1) */
  FvActivationKind score_activation;                       /* still to be applied to class scores */
  FvActivationKind objectness_activation;
  FvBoxCoding box_coding;
  bool background;                                         /* class 0 is background and not reported */
  int output_count;                                        /* when > 0: graph outputs in the order the family wants */
  char *outputs[FV_MAX_HEAD_OUTPUTS];
} FvHead;

typedef struct FvDescription {
  char *name; /* of the model; file name without its ending unless given */
  FvFamily family;
  FvPreprocess preprocess;
  FvHead head;
  int class_count;     /* reported classes, without background */
  char **labels;       /* class_count names, or NULL */
  float threshold;     /* score below which a box is dropped, 0..1 */
  float iou_threshold; /* suppression, 0..1 */
  char source[64];     /* where it came from: "graph", "file", "embedded" */
} FvDescription;

FV_API const char *fv_family_name(FvFamily family); /* "yolo-anchor", …; static storage */
FV_API FvFamily fv_family_from_name(const char *name);

/* The name of class label, or "class N" written into scratch (at least 24 bytes) when it has none. */
FV_API const char *fv_description_label(const FvDescription *description, int label, char *scratch);

#ifdef __cplusplus
}
#endif
#endif
