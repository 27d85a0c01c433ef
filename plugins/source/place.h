/* Where a stream comes from, as text from outside says: taken apart, bounded, and with the secrets out of the way. */
#ifndef FOVEA_SOURCE_PLACE_H
#define FOVEA_SOURCE_PLACE_H

#include <gst/gst.h>

G_BEGIN_DECLS

#define FOVEA_PLACE_MAX_BYTES 4096

typedef enum FoveaPlaceKind {
  FOVEA_PLACE_FILE,
  FOVEA_PLACE_RTSP,
  FOVEA_PLACE_HTTP,  /* HLS too */
  FOVEA_PLACE_V4L2,
  FOVEA_PLACE_OTHER, /* srt, rtmp, udp, …: whatever element claims the scheme */
} FoveaPlaceKind;

typedef struct FoveaPlace {
  FoveaPlaceKind kind;
  gchar *uri;      /* without user and password; what the inner source is given */
  gchar *path;     /* of a file or device; else NULL */
  gchar *target;   /* for people: no secrets */
  gchar *user, *password; /* as the URI had them, decoded; else NULL */
  gboolean live;   /* cannot be had faster than it happens, as far as the scheme tells */
} FoveaPlace;

/* text: a URI, or a path. FALSE with a sentence without secrets; *ret_place is set to zeroes then. */
gboolean fovea_place_parse(const gchar *text, FoveaPlace *ret_place, GError **error);
void fovea_place_clear(FoveaPlace *place);
/* The Debian package that has the element for a place, NULL: not known. */
const gchar *fovea_place_package(const FoveaPlace *place);

G_END_DECLS
#endif
