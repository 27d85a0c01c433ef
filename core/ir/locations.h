/* A detector's outputs as locations: the cells of grids, or the rows of lists, that give at most a few boxes each. Enough for a device to leave out
 * those that cannot reach a threshold, without knowing the family of the head. */
#ifndef FOVEA_IR_LOCATIONS_H
#define FOVEA_IR_LOCATIONS_H

#include <stdint.h>

enum { FV_MAX_LOCATION_GROUPS = 8, FV_MAX_LOCATION_PARTS = 4, FV_MAX_SCORE_FACTORS = 2 };

/* Numbers of each location, in one output of floats: channel c of (anchor, y, x) is element first + anchor * steps[0] + y * steps[1] + x * steps[2] +
 * c * channel_step, counted from the element with all indices 0. */
typedef struct FvLocationPart {
  int output;
  int64_t first, steps[3], channel_step;
  int channels;
} FvLocationPart;

typedef enum FvScoreActivation { FV_SCORE_PLAIN = 0, FV_SCORE_SIGMOID, FV_SCORE_SOFTMAX } FvScoreActivation;

/* The best of some channels, activated, then to a power. All of that rises with the channels. */
typedef struct FvScoreFactor {
  FvLocationPart part;
  int skip; /* channels at the beginning that count in a softmax only */
  FvScoreActivation activation;
  float power;
} FvScoreFactor;

/* Locations are numbered in the order anchor, y, x. None gives a box whose score is above the product of the location's factors. */
typedef struct FvLocationGroup {
  int anchors, height, width;
  int first; /* number of its first location among those of all groups */
  FvScoreFactor factors[FV_MAX_SCORE_FACTORS];
  int factor_count;
  FvLocationPart parts[FV_MAX_LOCATION_PARTS]; /* all that a box is made from */
  int part_count;
} FvLocationGroup;

static inline int fv_location_count(const FvLocationGroup *group) { return group->anchors * group->height * group->width; }
static inline int64_t fv_location_element(const FvLocationPart *part, const FvLocationGroup *group, int location) {
  int plane = group->height * group->width, rest = location % plane;
  return part->first + location / plane * part->steps[0] + rest / group->width * part->steps[1] + rest % group->width * part->steps[2];
}

#endif
