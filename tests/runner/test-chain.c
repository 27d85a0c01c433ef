/* Cameras as gst-launch text, and what building finds wrong. */
#include "build.h"
#include "common/secret.h"
#include "compose.h"
#include "elements.h"
#include "support.h"

static char *launch_text(const char *text, int attempt) {
  FvProblems problems;
  fv_problems_init(&problems, "t.yaml");
  FvConfig *config = fv_config_parse(text, strlen(text), &test_sources, &problems);
  GPtrArray *chain = NULL;
  if (config != NULL)
    chain = config->steps != NULL ? g_ptr_array_ref(config->steps) : fv_compose_camera(config, g_ptr_array_index(config->cameras, 0), attempt, &problems);
  if (problems.items->len > 0) g_error("%s", fv_problems_line(&problems, 0));
  char *launch = fv_chain_text(chain);
  g_ptr_array_unref(chain);
  fv_config_unref(config);
  fv_problems_finish(&problems);
  return launch;
}

#define DECODE "decodebin caps='\"video/x-raw(ANY)\"' expose-all-streams=false"
#define MODEL "models: {m: {path: m.onnx, threshold: 0.4, device: cpu}}\n"

typedef struct TextCase {
  const char *name, *text;
  int attempt;
  const char *expected; /* a pattern of g_pattern_match_simple: encoders differ between machines */
} TextCase;

static const TextCase text_cases[] = {
  {"a file that is only decoded", "version: 1\ncameras: {a: {uri: a b.mp4}}\n", 0,
   "foveasrc name=source uri=file:///*/a%20b.mp4 ! fakesink sync=false"},
  {"a file URI", "version: 1\ncameras: {a: {uri: 'file:///x/a%20b.mp4'}}\n", 0, "foveasrc name=source uri=file:///x/a%20b.mp4 ! *"},
  {"detection and records", "version: 1\n" MODEL "cameras: {a: {uri: /a.mp4, detect: {model: m, fps: 5, interval: 2, policy: keep-newest}}}\noutputs: {file: {path: 'o/{camera}.jsonl', append: true}}\n", 0,
   "foveasrc name=source uri=file:///a.mp4 ! videorate drop-only=true max-rate=5 ! videoconvert ! foveadetect name=detect model=m.onnx device=cpu "
   "threshold=0.4 interval=2 policy=keep-newest ! foveapublish name=output-file method=file source=a file-path=o/a.jsonl append=true ! fakesink sync=false"},
  {"the model that comes with Fovea", "version: 1\ncameras: {a: {uri: /a.mp4, detect: {}}}\n", 0, "foveasrc name=source uri=file:///a.mp4 ! videoconvert ! foveadetect name=detect ! fakesink sync=false"},
  {"that model, on the CPU", "version: 1\nmodels: {m: {device: cpu}}\ncameras: {a: {uri: /a.mp4, detect: {model: m}}}\n", 0, "* ! foveadetect name=detect device=cpu ! fakesink sync=false"},
  {"a source with everything", "version: 1\ncameras: {a: {uri: 'rtsp://h/s', latency: 1s, stall-timeout: 5s, retry: {min: 500ms, max: 1min}, restart: always, placeholder: grey,\n"
   "  decode: {decoder: foveadecode, skip: nonref, loop-filter: off, max-fps: 5}}}\n", 0,
   "foveasrc name=source uri=rtsp://h/s latency=1000 stall-timeout=5000 retry-min=500 retry-max=60000 restart=always placeholder=grey decoder=foveadecode skip=nonref "
   "loop-filter=off max-fps=5 ! fakesink sync=false"},
  {"mqtt", "version: 1\n" MODEL "cameras: {gate: {uri: /a.mp4, detect: {model: m}}}\noutputs:\n"
   "  mqtt: {address: 'mqtts://h:8883', topic: 'f/{camera}', qos: 1, version: 3.1.1, client-id: 'x-{camera}', username: u, password: {file: /run/secrets/gate}, keep-alive: 30s,\n"
   "    tls: {ca: a.pem, cert: c.pem, key: k.pem, verify: false}, spool: {path: /s, bytes: 512M, age: 7d, policy: drop-oldest, sync: record, sync-interval: 500ms, order: newest-first, rate: 1MiB/s},\n"
   "    retry: {min: 500ms, max: 1min}, drain: 5s, content: events, availability-topic: 'f/{camera}/up'}\n", 0,
   "* ! foveapublish name=output-mqtt method=mqtt source=gate content=events address=mqtts://h:8883 topic=f/gate qos=1 mqtt-version=3.1.1 client-id=x-gate "
   "availability-topic=f/gate/up keep-alive=30 username=u password-from=file:/run/secrets/gate ca-file=a.pem cert-file=c.pem key-file=k.pem tls-verify=false "
   "spool=/s/gate spool-bytes=536870912 spool-age=604800 spool-policy=drop-oldest spool-order=newest-first spool-sync=record spool-sync-interval=500 spool-rate=1048576 "
   "retry-min=500 retry-max=60000 drain-timeout=5000 ! fakesink sync=false"},
  {"http and kafka", "version: 1\n" MODEL "cameras: {a: {uri: /a.mp4, detect: {model: m}}}\noutputs:\n"
   "  hook: {type: http, address: 'https://joe:sesame@h/in', token: \"${NAME}\", password: plain, batch: {records: 100, wait: 2s}, spool: 'x/{camera}/y', include-empty: false, analysed-only: true}\n"
   "  kafka: {address: 'h:9092,i:9092', topic: t, content: both}\n", 0,
   "* ! foveapublish name=output-hook method=http source=a include-empty=false analysed-only=true address=https://joe:\\*\\*\\*@h/in password=\\*\\*\\* token-from=env:NAME "
   "batch-records=100 batch-ms=2000 spool=x/a/y ! foveapublish name=output-kafka method=kafka source=a content=both address=h:9092,i:9092 topic=t ! fakesink sync=false"},
  {"a file that is put aside", "version: 1\n" MODEL "cameras: {a: {uri: /a.mp4, detect: {model: m}}}\noutputs: {file: {path: x.jsonl, rotate: {bytes: 100MB, keep: 7}}}\n", 0,
   "* method=file source=a file-path=x.jsonl rotate-bytes=100000000 rotate-keep=7 ! fakesink sync=false"},
  {"clips and uplink beside detection", "version: 1\n" MODEL "cameras: {a: {uri: 'rtsp://h/', decode: {skip: nokey}, detect: {model: m}}}\noutputs:\n"
   "  clips: {path: '/c/{camera}/%H.mp4', before: 5s, after: 10s, labels: [person, car], threshold: 0.6, max-duration: 2min, max-bytes: 10GiB, max-age: 30d}\n"
   "  uplink: {sink: 'mpegtsmux ! fakesink name={camera}', replay-sink: fakesink, spool: {path: /v, bytes: 1GiB, rate: 1MB/s, policy: drop-lowest-priority}, live-latency: 2s, confirm-after: 1s, labels: person}\n"
   "  file: {path: x}\n", 0,
   "foveasrc name=source uri=rtsp://h/ output=encoded ! tee name=t0 "
   "t0. ! queue ! foveadecode skip=nokey ! videoconvert ! foveadetect name=detect model=m.onnx device=cpu threshold=0.4 ! foveapublish name=output-file * ! fakesink sync=false "
   "t0. ! queue ! foveaclips name=output-clips location=/c/a/%H.mp4 source=a pre-roll=5000 post-roll=10000 max-duration=120000 max-bytes=10737418240 max-age=2592000 "
   "trigger-element=detect trigger-labels=person,car trigger-confidence=0.6 "
   "t0. ! queue ! foveaspool name=output-uplink sink=*mpegtsmux ! fakesink name=a* replay-sink=fakesink spool=/v/a spool-bytes=1073741824 spool-policy=drop-lowest-priority "
   "replay-rate=1000000 live-latency=2000 confirm-after=1000 trigger-element=detect trigger-labels=person"},
  {"an uplink alone decodes nothing, and there are no clips without a detector", "version: 1\ncameras: {a: {uri: 'rtsp://h/'}}\noutputs: {uplink: {sink: fakesink, spool: /v}, clips: {path: x}}\n", 0,
   "foveasrc name=source uri=rtsp://h/ output=encoded ! foveaspool name=output-uplink sink=fakesink spool=/v/a"},
  {"decodebin behind encoded video", "version: 1\ncameras: {a: {uri: 'rtsp://h/', decode: {decoder: decodebin}}}\noutputs: {uplink: {sink: fakesink, spool: /v}, display: {}}\n", 0,
   "foveasrc * output=encoded ! tee name=t0 t0. ! queue ! " DECODE " ! videoconvert ! autovideosink t0. ! queue ! foveaspool *"},
  {"a recording", "version: 1\n" MODEL "cameras: {a: {uri: a.mp4, detect: {model: m}, overlay: {scores: false}}}\noutputs: {video: {path: 'o.d/{camera}.mkv', bitrate: 900}}\n", 0,
   "* ! foveadetect * ! foveaoverlay show-scores=false ! videoconvert ! capsfilter caps=video/x-raw,format=I420 ! * ! matroskamux ! filesink location=o.d/a.mkv"},
  {"a recording after a break", "version: 1\n" MODEL "cameras: {a: {uri: a.mp4, detect: {model: m}}}\noutputs: {video: {path: 'o.d/{camera}'' x.webm', codec: vp8}}\n", 2,
   "* ! vp8enc * ! webmmux ! filesink location=*a* x-2.webm*"},
  {"records after a break", "version: 1\n" MODEL "cameras: {a: {uri: a.mp4, detect: {model: m}}}\noutputs: {file: {path: x.jsonl}}\n", 1, "*file-path=x.jsonl append=true*"},
  {"no overlay", "version: 1\n" MODEL "cameras: {a: {uri: a.mp4, detect: {model: m}, overlay: false}}\noutputs: {display: {}}\n", 0,
   "* ! foveadetect name=detect model=m.onnx device=cpu threshold=0.4 ! videoconvert ! autovideosink"},
  {"two pictures of one camera", "version: 1\ncameras: {a: {uri: a.mp4}}\noutputs: {display: {}, video: {path: a.mp4.mkv}}\n", 0,
   "* ! tee name=t0 t0. ! queue ! videoconvert ! autovideosink t0. ! queue ! videoconvert ! * ! matroskamux ! filesink location=a.mp4.mkv"},
  {"an rtsp camera hides its secrets", "version: 1\ncameras: {a: {uri: 'rtsp://joe:sesame@h/s', username: {file: /run/secrets/gate}, password: plain, transport: tcp}}\n", 0,
   "foveasrc name=source uri=rtsp://joe:\\*\\*\\*@h/s username=\\*\\*\\* password=\\*\\*\\* transport=tcp ! fakesink sync=false"},
  {"a password by reference", "version: 1\ncameras: {a: {uri: 'rtsp://h/s', password: \"${NAME}\"}}\n", 0, "foveasrc name=source uri=rtsp://h/s password-from=env:NAME ! fakesink sync=false"},
  {"a webcam", "version: 1\ncameras: {a: {uri: 'v4l2:///dev/video3', width: 640, height: 480}}\n", 0,
   "foveasrc name=source uri=v4l2:///dev/video3 width=640 height=480 ! fakesink sync=false"},
  {"secrets of the raw form", "version: 1\npipeline: [{element: foveasrc, properties: {password: plain, passphrase: plain}}, {element: fakesink}]\n", 0,
   "foveasrc password=\\*\\*\\* passphrase=\\*\\*\\* ! fakesink"},
  {"the raw form", "version: 1\npipeline: [{element: videotestsrc, name: s, properties: {num-buffers: 3, pattern: 'ball'}}, {caps: 'video/x-raw,width=64'}, {tee: {a: [{element: fakesink}], b: [{element: fakesink, properties: {sync: false}}]}}]\n", 0,
   "videotestsrc name=s num-buffers=3 pattern=ball ! capsfilter caps=video/x-raw,width=64 ! tee name=t0 t0. ! queue ! fakesink t0. ! queue ! fakesink sync=false"},
};

/* "\*" in a pattern is a star itself. */
static gboolean matches(const char *pattern, const char *text) {
  char **parts = g_strsplit(pattern, "\\*", -1), **words = g_strsplit(text, "***", -1);
  char *plain_pattern = g_strjoinv("#", parts), *plain_text = g_strjoinv("###", words);
  gboolean same = g_pattern_match_simple(plain_pattern, plain_text);
  g_strfreev(parts);
  g_strfreev(words);
  g_free(plain_pattern);
  g_free(plain_text);
  return same;
}

static void check_text(gconstpointer data) {
  const TextCase *one = data;
  char *text = launch_text(one->text, one->attempt);
  if (!matches(one->expected, text)) g_error("got      %s\nexpected %s", text, one->expected);
  g_assert_null(strstr(text, "sesame"));
  g_assert_null(strstr(text, "plain"));
  g_free(text);
}

static void check_masks(void) {
  static const char *const pairs[][2] = {
    {"rtsp://u:p@h/x", "rtsp://u:***@h/x"},   {"rtsp://u@h/x", "rtsp://u@h/x"},        {"rtsp://h:554/a@b:c", "rtsp://h:554/a@b:c"},
    {"no uri", "no uri"},                     {"", ""},                                {"rtsp://u:p@q@h", "rtsp://u:***@h"},
    {"a rtsp://u:p@h b http://x:y@z", "a rtsp://u:***@h b http://x:***@z"},           {"http://u:", "http://u:"},
    {"://:@", "://:***@"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(pairs); i++) {
    char *masked = fovea_secret_mask_uri(pairs[i][0]);
    g_assert_cmpstr(masked, ==, pairs[i][1]);
    g_free(masked);
  }
}

typedef struct BuildCase {
  const char *name, *steps, *expected;
} BuildCase;

static const BuildCase build_cases[] = {
  {"fits", "[{element: videotestsrc, properties: {pattern: ball, is-live: yes}}, {element: fakesink}]", ""},
  {"an element nearly right", "[{element: vidoetestsrc}, {element: fakesink}]", "t.yaml:2:22: error: there is no element 'vidoetestsrc' (did you mean 'videotestsrc'?)"},
  {"a prefix of a package's elements is no reason to install it", "[{element: videotestsc}, {element: fakesink}]", "t.yaml:2:22: error: there is no element 'videotestsc' (did you mean 'videotestsrc'?)"},
  {"an element of a package", "[{element: avdec_nothing}]", "t.yaml:2:22: error: there is no element 'avdec_nothing': install gstreamer1.0-libav"},
  {"a property nearly right", "[{element: fakesink, properties: {snyc: true}}]", "t.yaml:2:45: error: element fakesink has no property 'snyc' (did you mean 'sync'?)"},
  {"a property that is read only", "[{element: fakesink, properties: {stats: x}}]", "t.yaml:2:45: error: property stats of fakesink cannot be set"},
  {"a word for a number", "[{element: fakesrc, properties: {num-buffers: many}}, {element: fakesink}]",
   "t.yaml:2:44: error: property num-buffers of fakesrc takes a whole number from -1 to 2147483647, not 'many'"},
  {"a number out of range", "[{element: fakesrc, properties: {num-buffers: -2}}, {element: fakesink}]",
   "t.yaml:2:44: error: property num-buffers of fakesrc takes a whole number from -1 to 2147483647, not '-2'"},
  {"a secret that does not fit is not shown", "[{element: fakesrc, properties: {num-buffers: {file: /run/secrets/gate}}}, {element: fakesink}]",
   "t.yaml:2:44: error: property num-buffers of fakesrc takes a whole number from -1 to 2147483647, not '***'"},
  {"a strange enumeration", "[{element: fakesink, properties: {state-error: never}}]",
   "t.yaml:2:45: error: property state-error of fakesink takes one of none, null-to-ready, ready-to-paused, paused-to-playing, playing-to-paused, paused-to-ready, ready-to-null, not 'never'"},
  {"neighbours that do not meet", "[{element: audiotestsrc}, {element: videoconvert}, {element: fakesink}]",
   "t.yaml:2:47: error: element videoconvert cannot be linked behind audiotestsrc: their formats do not meet"},
  {"a child of what has none", "[{element: fakesink, properties: {'a::b': 1}}]", "t.yaml:2:45: error: element fakesink has no children, so no property 'a::b'"},
  {"a name given twice", "[{element: fakesrc, name: x}, {element: fakesink, name: x}]", "t.yaml:2:51: error: the name 'x' is given to two elements"},
  {"several at once", "[{element: fakesrc, properties: {a: 1, b: 2}}, {element: nosuchthingatall}]",
   "t.yaml:2:44: error: element fakesrc has no property 'a'\nt.yaml:2:50: error: element fakesrc has no property 'b'\nt.yaml:2:68: error: there is no element 'nosuchthingatall'"},
};

static void check_build(gconstpointer data) {
  const BuildCase *one = data;
  char *text = g_strdup_printf("version: 1\npipeline: %s\n", one->steps);
  FvProblems problems;
  fv_problems_init(&problems, "t.yaml");
  FvConfig *config = fv_config_parse(text, strlen(text), &test_sources, &problems);
  g_assert_nonnull(config);
  GstElement *pipeline = fv_build_pipeline(config->steps, "test", &problems, NULL);
  GString *lines = g_string_new(NULL);
  for (guint i = 0; i < problems.items->len; i++) {
    char *line = fv_problems_line(&problems, i);
    g_string_append_printf(lines, "%s%s", i > 0 ? "\n" : "", line);
    g_free(line);
  }
  g_assert_cmpstr(lines->str, ==, one->expected);
  g_assert_cmpint(pipeline != NULL, ==, *one->expected == '\0');
  if (pipeline != NULL) gst_object_unref(gst_object_ref_sink(pipeline));
  g_string_free(lines, TRUE);
  fv_config_unref(config);
  fv_problems_finish(&problems);
  g_free(text);
}

/* The printed text is not a second description: gst-launch's own parser reads it. */
static void check_round_trip(void) {
  static const char text[] = "version: 1\npipeline:\n- {element: videotestsrc, properties: {num-buffers: 5, foreground-color: 255}}\n"
                             "- {caps: 'video/x-raw,width=64,format={I420, NV12}'}\n- tee: {a: [{element: fakesink, name: it}], b: [{element: fakesink}]}\n";
  char *launch = launch_text(text, 0);
  gint argc = 0;
  gchar **argv = NULL;
  GError *error = NULL;
  g_assert_true(g_shell_parse_argv(launch, &argc, &argv, &error));
  GstElement *pipeline = gst_parse_launchv((const gchar **)argv, &error);
  g_assert_no_error(error);
  GstElement *sink = gst_bin_get_by_name(GST_BIN(pipeline), "it");
  g_assert_nonnull(sink);
  gst_object_unref(sink);
  gst_object_unref(pipeline);
  g_strfreev(argv);
  g_free(launch);
}

int main(int argc, char **argv) {
  g_test_init(&argc, &argv, NULL);
  gst_init(NULL, NULL);
  fv_elements_find();
  for (guint i = 0; i < G_N_ELEMENTS(text_cases); i++) {
    char *path = g_strdup_printf("/chain/text: %s", text_cases[i].name);
    g_test_add_data_func(path, &text_cases[i], check_text);
    g_free(path);
  }
  for (guint i = 0; i < G_N_ELEMENTS(build_cases); i++) {
    char *path = g_strdup_printf("/chain/build: %s", build_cases[i].name);
    g_test_add_data_func(path, &build_cases[i], check_build);
    g_free(path);
  }
  g_test_add_func("/chain/passwords are masked", check_masks);
  g_test_add_func("/chain/gst-launch reads the text", check_round_trip);
  return g_test_run();
}
