/* Through which encoded video comes in: buffers of a sink become frames with all that the elements need of them. Of the streaming thread. */
#ifndef FOVEA_PLUGINS_DOOR_H
#define FOVEA_PLUGINS_DOOR_H

#include "common/decodetimes.h"
#include "paramsets.h"

G_BEGIN_DECLS

typedef struct FoveaDoor { /* all zero: nothing has come */
  GstCaps *caps; /* of the frames to be taken */
  FoveaParamSets sets;
  FoveaDecodeTimes times;
} FoveaDoor;

/* The frames that came before have been taken, after fovea_door_settle(). */
void fovea_door_set_caps(FoveaDoor *door, GstCaps *caps);
/* Buffers without a time are left out, as nothing can be done with them. */
void fovea_door_put(FoveaDoor *door, GstBuffer *buffer, const GstSegment *segment);
/* The next frame, which becomes the caller's. FALSE: there is none, or it has to wait for others to tell when it is decoded. */
gboolean fovea_door_take(FoveaDoor *door, FoveaFrame *ret_frame);
/* Nothing follows: no frame waits any more. */
void fovea_door_settle(FoveaDoor *door);
/* Time begins anew: what waits is dropped. */
void fovea_door_flush(FoveaDoor *door);
void fovea_door_clear(FoveaDoor *door);

G_END_DECLS
#endif
