/* From a detector's raw outputs to boxes in the frame. */
#ifndef FOVEA_VISION_HEAD_H
#define FOVEA_VISION_HEAD_H

#include <fovea/description.h>
#include <fovea/detection.h>
#include <fovea/tensor.h>

#include "ir/locations.h"
#include "vision/preprocess.h"

typedef struct FvDetector FvDetector; /* a head bound to a graph's outputs, with its scratch */

/* Checks the outputs' shapes against the description (an error says which output has which shape and what was expected) and
 * allocates scratch for FV_MAX_CANDIDATES. The description is borrowed and must outlive the detector. */
int fv_detector_create(const FvDescription *description, const char *const *names, const FvTensor *const *outputs, int output_count,
                       FvDetector **detector, FvError *err);
void fv_detector_destroy(FvDetector **detector);

typedef struct FvDecodeParams {
  float threshold, iou_threshold;
  FvFrameMap map;
  int frame_width, frame_height;
  const uint64_t *chosen; /* a bit per location; those without are not looked at. NULL: all are */
} FvDecodeParams;

/* The locations of the head's outputs, for choosing; *count is 0 when outputs can only be read as a whole. */
const FvLocationGroup *fv_detector_locations(const FvDetector *detector, int *count);

/* Candidates over the threshold, class-aware non-maximum suppression, boxes mapped to the frame and clipped. Outputs are read through their
 * strides. Returns how many were written, best scores first. Allocates nothing. */
int fv_detector_decode(FvDetector *detector, const FvTensor *const *outputs, const FvDecodeParams *params, FvDetection *found, int capacity);

#endif
