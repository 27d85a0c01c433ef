#include "place.h"

#include <gio/gio.h>
#include <string.h>

#include "common/secret.h"

static gboolean refuse(GError **error, const gchar *format, ...) G_GNUC_PRINTF(2, 3);
static gboolean refuse(GError **error, const gchar *format, ...) {
  va_list args;
  va_start(args, format);
  gchar *sentence = g_strdup_vprintf(format, args);
  va_end(args);
  g_set_error_literal(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, sentence);
  g_free(sentence);
  return FALSE;
}

static gboolean has_control_characters(const gchar *text) {
  for (; *text; text++)
    if ((guchar)*text < 0x20 || *text == 0x7f)
      return TRUE;
  return FALSE;
}

/* SRT's secret is a parameter of the query. */
static void take_passphrase(FoveaPlace *place) {
  gchar *query = strchr(place->uri, '?');
  if (!query)
    return;
  gchar **parts = g_strsplit(query + 1, "&", -1);
  GString *rest = g_string_new_len(place->uri, query - place->uri);
  gchar separator = '?';
  for (gchar **part = parts; *part; part++) {
    if (g_ascii_strncasecmp(*part, "passphrase=", 11) == 0) {
      fovea_secret_free(place->password);
      place->password = g_uri_unescape_string(*part + 11, NULL);
    } else {
      g_string_append_printf(rest, "%c%s", separator, *part);
      separator = '&';
    }
  }
  g_strfreev(parts);
  g_free(place->uri);
  place->uri = g_string_free(rest, FALSE);
}

static gboolean parse_path(const gchar *text, FoveaPlace *place, GError **error) {
  if (g_str_has_prefix(text, "file:")) {
    place->path = g_filename_from_uri(text, NULL, NULL);
    if (!place->path)
      return refuse(error, "%s is no file URI; it has the form file:///absolute/path, with %%20 for a space", text);
  } else {
    place->path = g_strdup(text);
  }
  place->kind = FOVEA_PLACE_FILE;
  place->uri = g_strdup(text);
  place->target = g_strdup(text);
  return TRUE;
}

static gboolean parse_device(const gchar *text, FoveaPlace *place, GError **error) {
  place->path = g_strdup(text + strlen("v4l2://"));
  if (place->path[0] != '/')
    return refuse(error, "%s names no device; it has the form v4l2:///dev/video0", text);
  place->kind = FOVEA_PLACE_V4L2;
  place->uri = g_strdup(text);
  place->target = g_strdup(text);
  place->live = TRUE;
  return TRUE;
}

static gboolean parse_uri(const gchar *text, const gchar *scheme, FoveaPlace *place, GError **error) {
  GError *reason = NULL;
  place->uri = fovea_secret_split_uri(text, &place->user, &place->password);
  if (g_str_equal(scheme, "srt"))
    take_passphrase(place);
  place->target = g_strdup(place->uri);
  place->live = TRUE;
  place->kind = g_str_has_prefix(scheme, "rtsp") ? FOVEA_PLACE_RTSP : g_str_has_prefix(scheme, "http") ? FOVEA_PLACE_HTTP : FOVEA_PLACE_OTHER;
  if (place->kind != FOVEA_PLACE_OTHER && !g_uri_is_valid(place->uri, G_URI_FLAGS_PARSE_RELAXED | G_URI_FLAGS_HAS_PASSWORD, &reason)) {
    refuse(error, "uri %s cannot be read: %s", place->target, reason->message);
    g_clear_error(&reason);
    return FALSE;
  }
  const gchar *authority = strstr(place->uri, "://");
  if (place->kind != FOVEA_PLACE_OTHER && (!authority || authority[3] == '\0' || strchr("/?#:", authority[3])))
    return refuse(error, "uri %s names no host", place->target);
  return TRUE;
}

gboolean fovea_place_parse(const gchar *text, FoveaPlace *place, GError **error) {
  memset(place, 0, sizeof *place);
  if (!text || text[0] == '\0')
    return refuse(error, "no uri is set; give the address of a camera or the path of a file");
  if (strlen(text) > FOVEA_PLACE_MAX_BYTES)
    return refuse(error, "uri is longer than %d bytes", FOVEA_PLACE_MAX_BYTES);
  if (!g_utf8_validate(text, -1, NULL) || has_control_characters(text))
    return refuse(error, "uri holds bytes that are not text, or control characters");
  gchar *scheme = gst_uri_is_valid(text) ? gst_uri_get_protocol(text) : NULL; /* lower case */
  gboolean parsed = !scheme || g_str_equal(scheme, "file") ? parse_path(text, place, error)
                    : g_str_equal(scheme, "v4l2")          ? parse_device(text, place, error)
                                                           : parse_uri(text, scheme, place, error);
  g_free(scheme);
  if (!parsed)
    fovea_place_clear(place);
  return parsed;
}

void fovea_place_clear(FoveaPlace *place) {
  g_free(place->uri);
  g_free(place->path);
  g_free(place->target);
  g_free(place->user);
  fovea_secret_free(place->password);
  memset(place, 0, sizeof *place);
}

const gchar *fovea_place_package(const FoveaPlace *place) {
  switch (place->kind) {
    case FOVEA_PLACE_FILE: return "gstreamer1.0-plugins-base";
    case FOVEA_PLACE_RTSP:
    case FOVEA_PLACE_HTTP:
    case FOVEA_PLACE_V4L2: return "gstreamer1.0-plugins-good";
    default: break;
  }
  const gchar *in_bad[] = {"srt:", "rtmp:", "rtmps:", "rtmpt:", "rist:", "webrtc:", "mms:"};
  for (guint i = 0; i < G_N_ELEMENTS(in_bad); i++)
    if (g_str_has_prefix(place->uri, in_bad[i]))
      return "gstreamer1.0-plugins-bad";
  return g_str_has_prefix(place->uri, "udp:") ? "gstreamer1.0-plugins-good" : NULL;
}
