/* What foveasrc is made of, without a pipeline: addresses and the arithmetic of time. */
#include <gst/gst.h>
#include <string.h>

#include "source/news.h"
#include "source/place.h"
#include "source/placeholder.h"
#include "source/timeline.h"

#define MS (1000 * G_GINT64_CONSTANT(1000))

/* --- addresses ---------------------------------------------------------------------------------------------- */

static void takes_addresses_apart(void) {
  static const struct {
    const gchar *text;
    FoveaPlaceKind kind;
    gboolean live;
    const gchar *uri, *path, *user, *password;
  } cases[] = {
    {"rtsp://host/a", FOVEA_PLACE_RTSP, TRUE, "rtsp://host/a", NULL, NULL, NULL},
    {"RTSPS://u:p@host:322/a?x=1&y=2", FOVEA_PLACE_RTSP, TRUE, "RTSPS://host:322/a?x=1&y=2", NULL, "u", "p"},
    {"rtsp://admin:p%40ss%3Aw@10.0.0.1/Streaming/Channels/101", FOVEA_PLACE_RTSP, TRUE, "rtsp://10.0.0.1/Streaming/Channels/101", NULL, "admin", "p@ss:w"},
    {"rtsp://u@[fe80::1]:554/", FOVEA_PLACE_RTSP, TRUE, "rtsp://[fe80::1]:554/", NULL, "u", NULL},
    {"https://u:p@host/live.m3u8", FOVEA_PLACE_HTTP, TRUE, "https://host/live.m3u8", NULL, "u", "p"},
    {"v4l2:///dev/video0", FOVEA_PLACE_V4L2, TRUE, NULL, "/dev/video0", NULL, NULL},
    {"file:///tmp/a%20b.mp4", FOVEA_PLACE_FILE, FALSE, NULL, "/tmp/a b.mp4", NULL, NULL},
    {"/tmp/a b.mp4", FOVEA_PLACE_FILE, FALSE, NULL, "/tmp/a b.mp4", NULL, NULL},
    {"a.mp4", FOVEA_PLACE_FILE, FALSE, NULL, "a.mp4", NULL, NULL},
    {"srt://host:9000?mode=caller&passphrase=s3cret%21&latency=100", FOVEA_PLACE_OTHER, TRUE, "srt://host:9000?mode=caller&latency=100", NULL, NULL, "s3cret!"},
    {"srt://:9000?passphrase=s3cret", FOVEA_PLACE_OTHER, TRUE, "srt://:9000", NULL, NULL, "s3cret"},
    {"rtmp://u:p@host/app/key", FOVEA_PLACE_OTHER, TRUE, "rtmp://host/app/key", NULL, "u", "p"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    FoveaPlace place;
    GError *error = NULL;
    g_assert_true(fovea_place_parse(cases[i].text, &place, &error));
    g_assert_no_error(error);
    g_assert_cmpint(place.kind, ==, cases[i].kind);
    g_assert_cmpint(place.live, ==, cases[i].live);
    if (cases[i].uri)
      g_assert_cmpstr(place.uri, ==, cases[i].uri);
    g_assert_cmpstr(place.path, ==, cases[i].path);
    g_assert_cmpstr(place.user, ==, cases[i].user);
    g_assert_cmpstr(place.password, ==, cases[i].password);
    g_assert_false(cases[i].password && strlen(cases[i].password) > 1 && strstr(place.target, cases[i].password));
    fovea_place_clear(&place);
  }
}

static void refuses_what_is_no_address(void) {
  gchar *endless = g_strnfill(FOVEA_PLACE_MAX_BYTES + 1, 'a');
  const gchar *cases[] = {NULL, "", endless, "rtsp://", "rtsp:///path", "rtsp://:554/a", "rtsp://host:99999/a", "rtsp://u:secret@host:port/a", "http://", "https:///a", "v4l2://video0",
                          "file://host:x/%zz", "file:relative", "rtsp://host/a\nb", "rtsp://host/\xff\xfe", "rtsp://u:secret@/a", "rtsp://[::1/a"};
  for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
    FoveaPlace place;
    GError *error = NULL;
    if (fovea_place_parse(cases[i], &place, &error))
      g_error("taken: %s", cases[i]);
    g_assert_nonnull(error);
    g_assert_cmpuint(strlen(error->message), >, 10);
    g_assert_null(strstr(error->message, "secret"));
    g_assert_null(place.uri);
    g_error_free(error);
  }
  g_free(endless);
}

/* Bytes at random, and real addresses with some bytes replaced. */
static void bears_any_text(void) {
  const gchar *seeds[] = {"rtsp://user:pass@host:554/path?query=1#x", "srt://host:1?passphrase=x&y", "v4l2:///dev/video0", "file:///a%20b"};
  for (guint i = 0; i < 20000; i++) {
    gchar *text = g_strdup(seeds[i % G_N_ELEMENTS(seeds)]);
    FoveaPlace place;
    for (gint n = g_test_rand_int_range(0, 6); n > 0; n--)
      text[g_test_rand_int_range(0, (gint)strlen(text))] = (gchar)g_test_rand_int_range(1, 256);
    if (fovea_place_parse(text, &place, NULL))
      fovea_place_clear(&place);
    g_free(text);
  }
}

/* --- time --------------------------------------------------------------------------------------------------- */

static FoveaTimeline timeline(gboolean live, gboolean encoded) {
  FoveaTimeline line = {.live = live, .encoded = encoded, .stamped = live, .latency = 200 * MS};
  fovea_timeline_reset(&line);
  return line;
}

/* What comes out at, in ms; -1: dropped. */
static gint64 put(FoveaTimeline *line, gint64 pts_ms, gint64 now_ms, FoveaFrameTime *frame) {
  *frame = (FoveaFrameTime){.pts = pts_ms * MS, .dts = FOVEA_NO_TIME, .duration = 40 * MS};
  return fovea_timeline_place(line, frame, now_ms * MS) == FOVEA_TIMELINE_PASS ? frame->pts / MS : -1;
}

static void frames_of_our_clock_keep_their_times(void) {
  FoveaTimeline line = timeline(TRUE, FALSE);
  FoveaFrameTime frame;
  g_assert_cmpint(put(&line, 1000, 1200, &frame), ==, 1000);
  g_assert_true(frame.discont && frame.gap == 0);
  g_assert_cmpint(put(&line, 1040, 1240, &frame), ==, 1040);
  g_assert_false(frame.discont);
  fovea_timeline_begin(&line);
  g_assert_cmpint(put(&line, 5000, 5200, &frame), ==, 5000);
  g_assert_true(frame.discont);
  g_assert_cmpint(frame.gap_start, ==, 1080 * MS);
  g_assert_cmpint(frame.gap, ==, 3920 * MS);
}

static void frames_of_other_clocks_begin_now(void) {
  FoveaTimeline line = timeline(TRUE, FALSE);
  FoveaFrameTime frame;
  g_assert_cmpint(put(&line, 0, 7000, &frame), ==, 7000);
  g_assert_cmpint(put(&line, 40, 7040, &frame), ==, 7040);
  g_assert_cmpint(put(&line, 80, 9900, &frame), ==, 9900); /* fallen far behind: it begins anew */
  fovea_timeline_begin(&line);
  g_assert_cmpint(put(&line, 900000, 12000, &frame), ==, 12000);
  line = timeline(TRUE, FALSE);
  line.stamped = FALSE; /* a time that is near ours by chance, as zero is at the start */
  g_assert_cmpint(put(&line, 0, 490, &frame), ==, 490);
}

static void files_follow_on(void) {
  FoveaTimeline line = timeline(FALSE, FALSE);
  FoveaFrameTime frame;
  g_assert_cmpint(put(&line, 0, 0, &frame), ==, 0);
  g_assert_cmpint(put(&line, 40, 0, &frame), ==, 40);
  fovea_timeline_begin(&line);
  g_assert_cmpint(put(&line, 0, 0, &frame), ==, 80);
  g_assert_true(frame.discont && frame.gap == 0);
  g_assert_cmpint(put(&line, 40, 0, &frame), ==, 120);
}

static void substitutes_are_not_overtaken(void) {
  FoveaTimeline line = timeline(TRUE, FALSE);
  FoveaFrameTime frame;
  put(&line, 1000, 1200, &frame);
  for (gint i = 1; i <= 25; i++)
    fovea_timeline_substitute(&line, (1000 + 40 * i) * MS, 40 * MS);
  fovea_timeline_begin(&line);
  g_assert_cmpint(put(&line, 1990, 2190, &frame), ==, -1);
  g_assert_cmpint(put(&line, 2030, 2230, &frame), ==, 2030);
  g_assert_cmpint(frame.gap, ==, 990 * MS); /* substitutes are not what was missing */
}

/* H.264 over RTP tells when pictures are shown, in the order in which they are decoded: I P B B P B B. */
static void reordered_pictures_keep_their_times(void) {
  const gint shown[] = {0, 120, 40, 80, 240, 160, 200, 360, 280, 320};
  FoveaTimeline line = timeline(TRUE, TRUE);
  FoveaFrameTime frame;
  for (guint attempt = 0; attempt < 2; attempt++, fovea_timeline_begin(&line))
    for (guint i = 0; i < G_N_ELEMENTS(shown); i++) {
      gint time = 1000 + 5000 * (gint)attempt + shown[i];
      g_assert_cmpint(put(&line, time, time + 200, &frame), ==, time);
      g_assert_true(frame.discont == (i == 0));
    }
  g_assert_cmpint(put(&line, 100, 6800, &frame), >=, 6400); /* so far back is another time axis */
}

/* Whatever comes, time does not go back, and nothing overflows. */
static void never_goes_back(void) {
  for (guint kind = 0; kind < 4; kind++) {
    FoveaTimeline line = timeline(kind & 1, (kind & 2) != 0);
    gint64 last = FOVEA_NO_TIME, now = 0;
    for (guint i = 0; i < 50000; i++) {
      const gint64 limit = G_GINT64_CONSTANT(1) << g_test_rand_int_range(1, 61);
      FoveaFrameTime frame = {.pts = (gint64)(g_test_rand_double_range(-1, 1) * (gdouble)limit), .dts = FOVEA_NO_TIME,
                              .duration = g_test_rand_int_range(0, 1000) * MS};
      now += g_test_rand_int_range(0, 100) * MS;
      if (g_test_rand_int_range(0, 3) == 0)
        frame.pts = now - g_test_rand_int_range(0, 400) * MS;
      if (g_test_rand_int_range(0, 50) == 0)
        frame.pts = FOVEA_NO_TIME;
      if (g_test_rand_int_range(0, 20) == 0)
        fovea_timeline_begin(&line);
      if (line.encoded)
        frame.dts = frame.pts;
      if (fovea_timeline_place(&line, &frame, now) == FOVEA_TIMELINE_DROP)
        continue;
      g_assert_cmpint(frame.pts, >=, last);
      g_assert_cmpint(frame.gap, >=, 0);
      last = frame.pts;
    }
  }
}

/* --- substitutes -------------------------------------------------------------------------------------------- */

static void grey_is_made_in_any_format(void) {
  const GstVideoFormat formats[] = {GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_RGB, GST_VIDEO_FORMAT_BGRx, GST_VIDEO_FORMAT_I420_10LE, GST_VIDEO_FORMAT_GRAY8};
  for (guint i = 0; i < G_N_ELEMENTS(formats); i++) {
    GstVideoInfo info;
    GstMapInfo map;
    gst_video_info_set_format(&info, formats[i], 322, 242);
    info.fps_n = 30;
    GstBuffer *buffer = fovea_placeholder_grey(&info);
    g_assert_nonnull(buffer);
    g_assert_true(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_GAP));
    g_assert_true(gst_buffer_map(buffer, &map, GST_MAP_READ));
    g_assert_cmpuint(map.size, ==, GST_VIDEO_INFO_SIZE(&info));
    if (formats[i] != GST_VIDEO_FORMAT_I420_10LE)
      g_assert_cmpint(ABS(map.data[0] - 128), <, 16);
    gst_buffer_unmap(buffer, &map);
    GstBuffer *again = fovea_placeholder_repeat(buffer);
    g_assert_cmpuint(gst_buffer_get_size(again), ==, GST_VIDEO_INFO_SIZE(&info));
    gst_buffer_unref(again);
    gst_buffer_unref(buffer);
  }
}

static void news_of_others_are_not_heard(void) {
  FoveaNews *news = fovea_news_new();
  GError *error = NULL;
  gboolean finite = FALSE;
  fovea_news_follow(news, 2);
  fovea_news_tell_error(news, 1, g_error_new_literal(GST_CORE_ERROR, GST_CORE_ERROR_FAILED, "old"));
  fovea_news_tell(news, 1, FOVEA_NEWS_FRAME);
  fovea_news_tell_end(news, 1, TRUE);
  g_assert_cmpint(fovea_news_wait(news, 0, &error, &finite), ==, FOVEA_NEWS_NONE);
  fovea_news_tell_end(news, 2, TRUE);
  fovea_news_tell(news, 2, FOVEA_NEWS_FRAME);
  g_assert_cmpint(fovea_news_wait(news, 0, &error, &finite), ==, FOVEA_NEWS_FRAME);
  g_assert_cmpint(fovea_news_wait(news, 0, &error, &finite), ==, FOVEA_NEWS_END);
  g_assert_true(finite);
  fovea_news_tell_error(news, 2, g_error_new_literal(GST_CORE_ERROR, GST_CORE_ERROR_FAILED, "kept until the next attempt"));
  fovea_news_follow(news, 3);
  g_assert_cmpint(fovea_news_wait(news, 0, &error, &finite), ==, FOVEA_NEWS_NONE);
  fovea_news_unref(news);
}

int main(int argc, char **argv) {
  gst_init(&argc, &argv);
  g_test_init(&argc, &argv, NULL);
  g_test_add_func("/source/place/takes-addresses-apart", takes_addresses_apart);
  g_test_add_func("/source/place/refuses-what-is-no-address", refuses_what_is_no_address);
  g_test_add_func("/source/place/bears-any-text", bears_any_text);
  g_test_add_func("/source/timeline/frames-of-our-clock-keep-their-times", frames_of_our_clock_keep_their_times);
  g_test_add_func("/source/timeline/frames-of-other-clocks-begin-now", frames_of_other_clocks_begin_now);
  g_test_add_func("/source/timeline/files-follow-on", files_follow_on);
  g_test_add_func("/source/timeline/reordered-pictures-keep-their-times", reordered_pictures_keep_their_times);
  g_test_add_func("/source/timeline/substitutes-are-not-overtaken", substitutes_are_not_overtaken);
  g_test_add_func("/source/timeline/never-goes-back", never_goes_back);
  g_test_add_func("/source/placeholder/grey-is-made-in-any-format", grey_is_made_in_any_format);
  g_test_add_func("/source/news/news-of-others-are-not-heard", news_of_others_are_not_heard);
  return g_test_run();
}
