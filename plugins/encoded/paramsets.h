/* Byte streams of H.264 and H.265 may tell their parameter sets only once. What is sent or stored by the GOP needs them in each. */
#ifndef FOVEA_PLUGINS_PARAMSETS_H
#define FOVEA_PLUGINS_PARAMSETS_H

#include "gop.h"

G_BEGIN_DECLS

typedef struct FoveaParamSets {
  GstCaps *caps;     /* last seen */
  gboolean h265, wanted; /* wanted: the caps are of a byte stream */
  GstBuffer *sets;   /* of the newest key frame that had some, with start codes */
} FoveaParamSets;

/* Remembers the sets of a key frame; puts those of an earlier one before the data of a key frame that has none. */
void fovea_param_sets_complete(FoveaParamSets *known, FoveaFrame *frame, GstCaps *caps);
void fovea_param_sets_clear(FoveaParamSets *known);

G_END_DECLS
#endif
