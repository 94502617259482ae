{{/* Fetches the pinned weights into the cache before the model starts: (list root model). Only this container connects to the
     hub and has its token; the serving container is offline. Probes do not cover init containers, so it has a timeout of its
     own: a stalled hub would otherwise hold the GPU forever. `timeout` forwards SIGTERM, which Python as process 1 would ignore.
     USR1 reaches the whole process group; only the shell handles it, and ends the rest. */}}
{{- define "lumenmill.fetchContainer" -}}
{{- $root := index . 0 -}}
{{- $model := index . 1 -}}
- name: fetch
  image: {{ include "lumenmill.image" (list $root $model.service) }}
  imagePullPolicy: {{ $root.Values.image.pullPolicy }}
  command:
    - timeout
    - --signal=USR1
    - --kill-after=30
    - {{ int $model.startupTimeoutS | quote }}
    - sh
    - -c
    - |
      trap 'echo "the weights were not fetched within {{ int $model.startupTimeoutS }} s (startupTimeoutS): is the hub slow or away?" >&2; kill $!; exit 1' USR1
      (trap "" USR1; exec python -m lumenmill_neural.fetch lumenmill_{{ trimSuffix "-neural" $model.service }}) & wait $!
  # The end of the log becomes the message in the pod's status.
  terminationMessagePolicy: FallbackToLogsOnError
  env:
    {{- include "lumenmill.env" (dict "root" $root "tls" $model.name "needs" (list "store")) | trim | nindent 4 }}
    - {name: LUMENMILL_OFFLINE, value: {{ $root.Values.offline | quote }}}
    {{- include "lumenmill.modelEnv" $model | trim | nindent 4 }}
    {{- with $model.fetch.tokenSecret }}
    {{- if .name }}
    - {name: HF_TOKEN, valueFrom: {secretKeyRef: {name: {{ .name }}, key: {{ .key }}}}}
    {{- end }}
    {{- end }}
  {{- include "lumenmill.envFrom" $model | nindent 2 }}
  resources:
    {{- toYaml $model.fetch.resources | nindent 4 }}
  securityContext:
    {{- include "lumenmill.containerSecurity" $root | nindent 4 }}
  volumeMounts:
    {{- include "lumenmill.configMount" $root | nindent 4 }}
    - {name: cache, mountPath: /var/cache/lumenmill}
    {{- if $model.secretFiles }}
    - {name: secrets, mountPath: /etc/lumenmill-secrets, readOnly: true}
    {{- end }}
    {{- with $model.volumeMounts }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end -}}
