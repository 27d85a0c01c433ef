#include "clip.h"

#include <gst/app/gstappsink.h>
#include <gst/video/video.h>

#include "build.h"
#include "compose.h"

#define LOOK_NS (100 * GST_MSECOND) /* how often an error is looked for while no frame comes */

struct FvClip {
  char *path;
  GstElement *pipeline, *sink;
  GstSample *sample;
  GstVideoFrame frame;
  gboolean mapped;
};

static GPtrArray *make_chain(const char *path) {
  FvPlace nowhere = {0, 0};
  GPtrArray *chain = fv_chain_new();
  fv_compose_file_source(chain, path, nowhere);
  fv_chain_add(chain, "videoconvert", NULL, nowhere);
  FvStep *sink = fv_chain_add(chain, "appsink", "frames", nowhere);
  fv_step_set(sink, "caps", "video/x-raw,format=RGB", nowhere);
  fv_step_set(sink, "sync", "false", nowhere);
  fv_step_set(sink, "max-buffers", "4", nowhere);
  return chain;
}

FvClip *fv_clip_open(const char *path, FvError *err) {
  if (!g_file_test(path, G_FILE_TEST_IS_REGULAR)) {
    fv_error_set(err, FV_ERR_IO, "%s: %s", path, g_file_test(path, G_FILE_TEST_EXISTS) ? "not a regular file" : "No such file or directory");
    return NULL;
  }
  gst_init(NULL, NULL);
  FvProblems problems;
  fv_problems_init(&problems, path);
  g_autoptr(GPtrArray) chain = make_chain(path);
  GstElement *pipeline = fv_build_pipeline(chain, "clip", &problems, NULL);
  FvClip *clip = NULL;
  if (pipeline) {
    clip = g_new0(FvClip, 1);
    clip->path = g_strdup(path);
    clip->pipeline = gst_object_ref_sink(pipeline);
    clip->sink = gst_bin_get_by_name(GST_BIN(pipeline), "frames");
    gst_element_set_state(pipeline, GST_STATE_PLAYING);
  } else {
    fv_error_set(err, FV_ERR_IO, "%s", ((const FvProblem *)g_ptr_array_index(problems.items, 0))->message);
  }
  fv_problems_finish(&problems);
  return clip;
}

static void let_go(FvClip *clip) {
  if (clip->mapped) gst_video_frame_unmap(&clip->frame);
  clip->mapped = FALSE;
  g_clear_pointer(&clip->sample, gst_sample_unref);
}

void fv_clip_close(FvClip **clip) {
  if (!clip || !*clip) return;
  let_go(*clip);
  gst_element_set_state((*clip)->pipeline, GST_STATE_NULL);
  gst_object_unref((*clip)->sink);
  gst_object_unref((*clip)->pipeline);
  g_free((*clip)->path);
  g_free(*clip);
  *clip = NULL;
}

/* An error that waits on the bus; 0: none. */
static int check_bus(FvClip *clip, FvError *err) {
  g_autoptr(GstBus) bus = gst_element_get_bus(clip->pipeline);
  g_autofree char *missing = NULL;
  for (GstMessage *message; (message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR | GST_MESSAGE_ELEMENT)) != NULL; gst_message_unref(message)) {
    if (GST_MESSAGE_TYPE(message) == GST_MESSAGE_ELEMENT) {
      if (!missing) missing = fv_missing_plugin(message);
      continue;
    }
    g_autofree char *sentence = fv_error_sentence(message, missing);
    gst_message_unref(message);
    return fv_error_set(err, FV_ERR_FORMAT, "%s: %s", clip->path, sentence);
  }
  return 0;
}

int fv_clip_next(FvClip *clip, FvFrame *frame, FvError *err) {
  GstVideoInfo info;
  int result = 0;
  let_go(clip);
  /* What fails before there is a video tells the bus alone, and the sink would wait for ever. */
  while (result == 0 && !(clip->sample = gst_app_sink_try_pull_sample(GST_APP_SINK(clip->sink), LOOK_NS))) {
    result = check_bus(clip, err);
    if (result == 0 && gst_app_sink_is_eos(GST_APP_SINK(clip->sink))) return 0;
  }
  if (result < 0) return result;
  if (!gst_video_info_from_caps(&info, gst_sample_get_caps(clip->sample)) ||
      !gst_video_frame_map(&clip->frame, &info, gst_sample_get_buffer(clip->sample), GST_MAP_READ))
    return fv_error_set(err, FV_ERR_FORMAT, "%s: a frame cannot be read", clip->path);
  clip->mapped = TRUE;
  *frame = (FvFrame){.format = FV_FORMAT_RGB, .width = GST_VIDEO_FRAME_WIDTH(&clip->frame), .height = GST_VIDEO_FRAME_HEIGHT(&clip->frame),
                     .plane = {GST_VIDEO_FRAME_PLANE_DATA(&clip->frame, 0)}, .stride = {GST_VIDEO_FRAME_PLANE_STRIDE(&clip->frame, 0)}};
  return 1;
}

gint64 fv_clip_count(const char *path, FvError *err) {
  FvClip *clip = fv_clip_open(path, err);
  FvFrame frame;
  gint64 count = 0;
  int result = clip ? 1 : -1;
  while (result > 0 && (result = fv_clip_next(clip, &frame, err)) > 0) count++;
  fv_clip_close(&clip);
  return result < 0 ? result : count;
}
