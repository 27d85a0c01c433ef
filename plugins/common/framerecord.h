/* What a buffer's metas say about its frame, as the record that json.h prints. */
#ifndef FOVEA_PLUGINS_FRAMERECORD_H
#define FOVEA_PLUGINS_FRAMERECORD_H

#include "json.h"

G_BEGIN_DECLS

/* Where and when the buffer is seen. */
typedef struct FoveaFrameContext {
  const gchar *source;       /* camera or file */
  gint width, height;        /* of the frame */
  const GstSegment *segment; /* that the buffer belongs to; NULL or of another format than TIME: its timestamp is taken as it is */
  GstElement *element;       /* whose clock tells UTC; NULL: nothing but the source's own stamp does */
  gboolean live;             /* the clock tells UTC only where frames are taken while the pipeline runs */
  guint64 seq;               /* number of the frame where no detector has counted it */
} FoveaFrameContext;

/* Fills the record. objects, an array of FoveaObject, is emptied and filled; it and the context stay with the caller, and live as
 * long as the record is used. */
void fovea_frame_record(GstBuffer *buffer, const FoveaFrameContext *context, GArray *objects, FoveaRecord *record);

G_END_DECLS
#endif
