/* What foveadetect knows about a frame besides its objects; foveapublish writes it out. Goes along when a buffer is copied. */
#ifndef FOVEA_PLUGINS_FRAMEMETA_H
#define FOVEA_PLUGINS_FRAMEMETA_H

#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct FoveaFrameMeta {
  GstMeta meta;
  guint64 seq;          /* frames that entered the detector before this one */
  const gchar *model;   /* interned name */
  const gchar *model_sha256; /* of the model's file, hexadecimal, interned; NULL when not known */
  GArray *label_quarks; /* GQuark by class index; shared, read-only; NULL when the model names no classes */
  GstClockTime latency; /* from entering the detector to leaving it */
  gboolean analysed;    /* FALSE: the objects are those of an earlier frame */
  GArray *objects;      /* FoveaObject in parts of the frame, 0..1, as the detector gave them; shared, read-only; NULL is none */
} FoveaFrameMeta;

GType fovea_frame_meta_api_get_type(void);

/* Adds one to a writable buffer. label_quarks and objects, which may be NULL, get references of their own. */
FoveaFrameMeta *fovea_frame_meta_add(GstBuffer *buffer, guint64 seq, const gchar *model, GArray *label_quarks, GArray *objects);
/* That of the last detector the buffer went through, or NULL. Borrowed. */
FoveaFrameMeta *fovea_frame_meta_get(GstBuffer *buffer);

G_END_DECLS
#endif
