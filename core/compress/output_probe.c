#include "compress/output_probe.h"

#include <math.h>
#include <stdlib.h>

#include <fovea/plan.h>

#include "vision/preprocess.h"

/* Everything row-major, f32. */
struct FvOutputProbe {
  int pictures, outputs, threads;
  FvTensor *in;     /* by picture */
  FvTensor *out;    /* by picture and output */
  double *variance; /* by output: sum of squares around its mean, over all pictures */
};

typedef struct Runner {
  FvPlan *plan;
  FvSession *session;
} Runner;

static int runner_init(Runner *runner, FvModel *model, int threads, FvError *err) {
  *runner = (Runner){0};
  int rc = fv_plan_create(model, &fv_plan_params(.device = "cpu", .threads = threads), &runner->plan, err);
  return rc < 0 ? rc : fv_session_create(runner->plan, &runner->session, err);
}

static void runner_finish(Runner *runner) {
  fv_session_destroy(&runner->session);
  fv_plan_destroy(&runner->plan);
}

/* Numbers as f32 in row-major order, malloc'ed. */
static int copy_tensor(const FvTensor *from, FvTensor *to, FvError *err) {
  *to = *from;
  to->dtype = FV_DTYPE_F32;
  fv_tensor_set_contiguous(to);
  to->data = malloc((size_t)fv_tensor_count(from) * sizeof(float) + 1);
  if (!to->data) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  return fv_tensor_copy(to, from, err);
}

static int take_picture(FvOutputProbe *probe, int picture, Runner *runner, FvPreprocessor *preprocessor, const FvPictureSource *source, FvError *err) {
  FvFrame frame = {0};
  FvFrameMap map;
  int rc = source->read(source->data, (int)((int64_t)picture * source->count / probe->pictures), &frame, err);
  if (rc >= 0) rc = fv_preprocessor_run(preprocessor, &frame, fv_session_input(runner->session, 0), probe->threads, &map, err);
  if (rc >= 0) rc = copy_tensor(fv_session_input(runner->session, 0), &probe->in[picture], err); /* running may take the input's memory */
  if (rc >= 0) rc = fv_session_run(runner->session, err);
  for (int i = 0; i < probe->outputs && rc >= 0; i++) rc = copy_tensor(fv_session_output(runner->session, i), &probe->out[picture * probe->outputs + i], err);
  return rc;
}

static void measure_variance(FvOutputProbe *probe) {
  for (int i = 0; i < probe->outputs; i++) {
    double sum = 0, squares = 0, count = 0;
    for (int p = 0; p < probe->pictures; p++) {
      const FvTensor *t = &probe->out[p * probe->outputs + i];
      const float *x = t->data;
      for (int64_t k = 0, n = fv_tensor_count(t); k < n; k++)
        if (isfinite(x[k])) sum += x[k], squares += (double)x[k] * x[k], count++;
    }
    probe->variance[i] = count ? fmax(squares - sum * sum / count, 0) : 0;
  }
}

static int take_pictures(FvOutputProbe *probe, FvModel *base, const FvPictureSource *source, FvError *err) {
  Runner runner;
  FvPreprocessor *preprocessor = NULL;
  int rc = runner_init(&runner, base, probe->threads, err);
  if (rc >= 0 && fv_session_input_count(runner.session) != 1)
    rc = fv_error_set(err, FV_ERR_UNSUPPORTED, "a search takes models with one input, the picture; this one has %d", fv_session_input_count(runner.session));
  if (rc >= 0) rc = fv_preprocessor_create(&fv_model_description(base)->preprocess, &preprocessor, err);
  if (rc >= 0) {
    probe->threads = fv_plan_info(runner.plan).threads;
    probe->outputs = fv_session_output_count(runner.session);
    probe->in = calloc((size_t)probe->pictures, sizeof *probe->in);
    probe->out = calloc((size_t)probe->pictures * (size_t)probe->outputs, sizeof *probe->out);
    probe->variance = calloc((size_t)probe->outputs, sizeof *probe->variance);
    if (!probe->in || !probe->out || !probe->variance) rc = fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  }
  for (int p = 0; p < probe->pictures && rc >= 0; p++) rc = take_picture(probe, p, &runner, preprocessor, source, err);
  if (rc >= 0) measure_variance(probe);
  fv_preprocessor_destroy(&preprocessor);
  runner_finish(&runner);
  return rc;
}

int fv_output_probe_create(FvModel *base, const FvPictureSource *pictures, int count, int threads, FvOutputProbe **ret_probe, FvError *err) {
  FvOutputProbe *probe = calloc(1, sizeof *probe);
  if (!probe) return fv_error_set(err, FV_ERR_NO_MEMORY, "out of memory");
  probe->pictures = count < pictures->count ? count : pictures->count;
  probe->threads = threads;
  int rc = take_pictures(probe, base, pictures, err);
  if (rc >= 0) *ret_probe = probe;
  else fv_output_probe_destroy(&probe);
  return rc;
}

void fv_output_probe_destroy(FvOutputProbe **place) {
  FvOutputProbe *probe = *place;
  if (!probe) return;
  for (int i = 0; probe->in && i < probe->pictures; i++) free(probe->in[i].data);
  for (int i = 0; probe->out && i < probe->pictures * probe->outputs; i++) free(probe->out[i].data);
  free(probe->in);
  free(probe->out);
  free(probe->variance);
  free(probe);
  *place = NULL;
}

/* Outputs whose length depends on the data (NonMaxSuppression) are compared as far as both go. */
static double difference(const FvTensor *a, const FvTensor *b) {
  int64_t n = fv_tensor_count(a), m = fv_tensor_count(b);
  const float *x = a->data, *y = b->data;
  double sum = 0;
  for (int64_t k = 0; k < (n < m ? n : m); k++)
    if (isfinite(x[k]) && isfinite(y[k])) sum += ((double)x[k] - y[k]) * ((double)x[k] - y[k]);
  return sum;
}

static int run_picture(const FvOutputProbe *probe, const Runner *runner, int picture, double *error, FvError *err) {
  int rc = fv_tensor_copy(fv_session_input(runner->session, 0), &probe->in[picture], err);
  if (rc >= 0) rc = fv_session_run(runner->session, err);
  for (int i = 0; i < probe->outputs && rc >= 0; i++) {
    FvTensor out = {0};
    rc = copy_tensor(fv_session_output(runner->session, i), &out, err);
    if (rc >= 0 && probe->variance[i] > 0) *error += difference(&out, &probe->out[picture * probe->outputs + i]) / probe->variance[i];
    free(out.data);
  }
  return rc;
}

int fv_output_probe_error(const FvOutputProbe *probe, FvModel *model, double *error, FvError *err) {
  Runner runner;
  int rc = runner_init(&runner, model, probe->threads, err);
  *error = 0;
  for (int p = 0; p < probe->pictures && rc >= 0; p++) rc = run_picture(probe, &runner, p, error, err);
  runner_finish(&runner);
  return rc;
}
