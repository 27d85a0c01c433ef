/* Detected objects on buffers: one form in memory, two kinds of meta on the wire.
 *
 * GstVideoRegionOfInterestMeta in the layout that DL Streamer readers know: roi_type is the label, x/y/w/h are whole pixels, and
 * the params are structures
 *   detection  {x_min, x_max, y_min, y_max: double 0..1; confidence: double; label_id: int; label: string}
 *   object_id  {id: int}                          when the object is tracked
 *   keypoints  {points: array of double 0..1, x then y}   when the model gives landmarks
 * GstAnalyticsRelationMeta (GStreamer 1.24 and later) with one object-detection entry each.
 * Metas that others wrote are read, and never changed or removed. */
#ifndef FOVEA_PLUGINS_META_H
#define FOVEA_PLUGINS_META_H

#include <gst/gst.h>

#include <fovea/detection.h>

G_BEGIN_DECLS

typedef struct FoveaObject {
  gfloat x0, y0, x1, y1; /* corners in pixels of the frame */
  gfloat confidence;     /* 0..1; negative when the writer gave none */
  gint label_id;         /* class index; -1 when not known */
  const gchar *label;    /* valid UTF-8, static storage (a quark's string) when read from a meta; never NULL */
  gint64 id;             /* of the track; -1 when not tracked */
  gint landmark_count;
  gfloat landmarks[FV_MAX_LANDMARKS][2]; /* pixels of the frame */
} FoveaObject;

typedef enum FoveaMetaKind {
  FOVEA_META_AUTO = 0, /* analytics where this build has it, else roi */
  FOVEA_META_ANALYTICS,
  FOVEA_META_ROI,
  FOVEA_META_BOTH
} FoveaMetaKind;

#define FOVEA_TYPE_META_KIND (fovea_meta_kind_get_type())
GType fovea_meta_kind_get_type(void);

/* FALSE for FOVEA_META_ANALYTICS in a build against GStreamer older than 1.24. */
gboolean fovea_meta_kind_available(FoveaMetaKind kind);

/* Not tracked. label, of static storage, is the name of found->label. */
FoveaObject fovea_object_from_detection(const FvDetection *found, const gchar *label);

/* Adds the objects to a writable buffer of a frame of width x height pixels. */
void fovea_meta_write(GstBuffer *buffer, FoveaMetaKind kind, const FoveaObject *objects, guint count, gint width, gint height);

/* A copy in parts of the frame instead of pixels, for the frame meta. Free with g_array_unref. */
GArray *fovea_objects_normalise(const FoveaObject *objects, guint count, gint width, gint height);

/* Appends every object that the buffer's metas hold, of either kind, to the array of FoveaObject; an object that is there in both
 * kinds comes once. What a meta has lost on its way (elements that scale drop the params of regions) or cannot carry is taken
 * from the detector's frame meta. label_quarks, an array of GQuark by class index, may be NULL; it gives label_id where nothing
 * else does. */
void fovea_meta_read(GstBuffer *buffer, gint width, gint height, GArray *label_quarks, GArray *objects);

G_END_DECLS
#endif
