/* The JSON form of a frame, "fovea.frame/1": one object on one line. configs/schemas/fovea.frame-1.json is its schema. Everything
 * that prints frames prints them through here. */
#ifndef FOVEA_PLUGINS_JSON_H
#define FOVEA_PLUGINS_JSON_H

#include "meta.h"

G_BEGIN_DECLS

#define FOVEA_FRAME_SCHEMA "fovea.frame/1"

typedef struct FoveaRecord {
  const gchar *id;     /* of the message; NULL leaves it out */
  const gchar *source; /* camera or file; NULL is "" */
  guint64 seq;
  GstClockTime timestamp; /* ns in the stream; GST_CLOCK_TIME_NONE prints null */
  gint64 utc;             /* microseconds since 1970; negative: not known, and left out */
  const gchar *clock;     /* where utc comes from: "ntp", "system"; NULL is "none" */
  gint width, height;
  const gchar *model;        /* NULL leaves the model out */
  const gchar *model_sha256; /* hex; NULL leaves it out */
  gdouble latency_ms;        /* negative: not known, and left out */
  gboolean gap;              /* frames are missing before this one */
  gboolean analysed;         /* FALSE: the objects are those of an earlier frame */
  const FoveaObject *objects;
  guint object_count;
} FoveaRecord;

/* Appends the record and a newline. Numbers do not depend on the locale. */
void fovea_json_append_record(GString *line, const FoveaRecord *record);
/* Pieces of such lines. An object's "detection" member: label, class, confidence and box, of a frame of width x height pixels. */
void fovea_json_append_detection(GString *line, const FoveaObject *object, gint width, gint height);
void fovea_json_append_number(GString *line, const gchar *format, gdouble number); /* format: one conversion of a double; what JSON cannot say is 0 */
/* ,"NAME":"2026-08-21T10:15:30.123456Z"; utc in microseconds since 1970. */
void fovea_json_append_time(GString *line, const gchar *name, gint64 utc);
/* ,"model":{…} */
void fovea_json_append_model(GString *line, const gchar *name, const gchar *sha256);
/* Appends a JSON string literal; what is not UTF-8 in text is replaced by U+FFFD. */
void fovea_json_append_string(GString *line, const gchar *text);

G_END_DECLS
#endif
