/* What a detector found. */
#ifndef FOVEA_DETECTION_H
#define FOVEA_DETECTION_H

#ifdef __cplusplus
extern "C" {
#endif

#define FV_MAX_LANDMARKS 5

typedef struct FvDetection {
  float x0, y0, x1, y1; /* corners in pixels of the frame, x right, y down, clipped to 0..width and 0..height */
  float score;          /* 0..1 */
  int label;            /* class index, 0 to class_count - 1 */
  int landmark_count;   /* 0 to FV_MAX_LANDMARKS */
  float landmarks[FV_MAX_LANDMARKS][2]; /* pixels of the frame, not clipped */
} FvDetection;

#ifdef __cplusplus
}
#endif
#endif
