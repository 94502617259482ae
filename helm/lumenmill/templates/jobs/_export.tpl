{{/* The Job of one export. The orchestrator adds a name, an owner and LUMENMILL_EXPORT_REQUEST, and creates it. */}}
{{- define "lumenmill.exportJob" -}}
{{- $exports := .Values.exports -}}
{{- $config := dict "root" . "tls" "client" "needs" (list "store" "database") -}}
apiVersion: batch/v1
kind: Job
metadata:
  namespace: {{ .Release.Namespace }}
  labels:
    {{- include "lumenmill.labels" (list . "job" "export") | nindent 4 }}
spec:
  backoffLimit: 2
  ttlSecondsAfterFinished: {{ int $exports.ttlS }}
  template:
    metadata:
      labels:
        {{- include "lumenmill.podLabels" (list . "job" "export") | nindent 8 }}
    spec:
      restartPolicy: Never
      serviceAccountName: {{ include "lumenmill.fullname" . }}
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        {{- include "lumenmill.podSecurity" 65532 | nindent 8 }}
      {{- include "lumenmill.pullSecrets" . | nindent 6 }}
      {{- include "lumenmill.scheduling" (list . $exports "model") | nindent 6 }}
      containers:
        - name: export
          image: {{ include "lumenmill.image" (list . "orchestrator") }}
          imagePullPolicy: {{ .Values.image.pullPolicy }}
          command: [tini, --, python, -m, lumenmill_orchestrator.export_job]
          # From the end of the log the orchestrator reads why it failed.
          terminationMessagePolicy: FallbackToLogsOnError
          env:
            {{- include "lumenmill.env" $config | trim | nindent 12 }}
          resources:
            {{- toYaml $exports.resources | nindent 12 }}
          securityContext:
            {{- include "lumenmill.containerSecurity" . | nindent 12 }}
          volumeMounts:
            {{- include "lumenmill.configMount" . | nindent 12 }}
      volumes:
        {{- include "lumenmill.configVolume" $config | nindent 8 }}
        {{- include "lumenmill.tmpVolume" $exports.tmpSizeMi | nindent 8 }}
{{- end -}}
