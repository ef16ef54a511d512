"""What must hold between the numbers, names and permissions of template.yaml, whatever the numbers are."""

import json
import re
import tomllib
from typing import Any

import pytest

from sampai.contract.callbacks import TYPES
from sampai.contract.events import DETAIL_TYPES, SOURCE
from sampai.domain.callback_progress import GAP_WAIT, MAX_DELAY
from sampai.services.callback import EVENT_SECONDS
from tests.template import ROOT, template

TEMPLATE = template()
RESOURCES: dict[str, Any] = TEMPLATE["Resources"]


def named(kind: str) -> dict[str, Any]:
    """Return the properties of all resources of a type, by logical id."""
    return {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == kind}


FUNCTIONS = named("AWS::Serverless::Function")
QUEUES = named("AWS::SQS::Queue")
TABLES = named("AWS::DynamoDB::Table")
SECRETS = named("AWS::SecretsManager::Secret")
ROLES = named("AWS::IAM::Role")
ALARMS = named("AWS::CloudWatch::Alarm")

SEND = FUNCTIONS["SendFunction"]
PUBLISH = FUNCTIONS["PublishFunction"]
REQUEST_QUEUES = ("SendQueue", "UrgentQueue")
CALLBACK_QUEUES = ("CallbackQueue", "CallbackDeadLetterQueue")


def permissions_of(role: str) -> set[tuple[str, str]]:
    """Return a role's (action, resource) pairs, resources written as in the template."""
    (policy,) = ROLES[role]["Policies"]
    pairs = set()
    for statement in policy["PolicyDocument"]["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in _list_of(statement["Action"]):
            pairs |= {(action, _name_of(resource)) for resource in _list_of(statement["Resource"])}
    return pairs


def _list_of(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _name_of(resource: dict[str, str]) -> str:
    (written,) = resource.values()
    return written


# --- queues -----------------------------------------------------------------------------------------------------------


def test_there_are_two_request_queues_two_for_what_failed_and_two_for_callbacks() -> None:
    assert set(QUEUES) == {*REQUEST_QUEUES, "DeadLetterQueue", "PublishFailures", *CALLBACK_QUEUES}


@pytest.mark.parametrize("queue", REQUEST_QUEUES)
def test_a_request_stays_invisible_for_six_time_outs_of_the_function_that_has_it(queue: str) -> None:
    windows = [event["Properties"].get("MaximumBatchingWindowInSeconds", 0) for event in SEND["Events"].values()]

    assert QUEUES[queue]["VisibilityTimeout"] >= 6 * SEND["Timeout"] + max(windows)


@pytest.mark.parametrize("queue", REQUEST_QUEUES)
def test_a_request_that_we_cannot_process_goes_to_the_dead_letter_queue_after_at_least_five_attempts(
    queue: str,
) -> None:
    redrive = QUEUES[queue]["RedrivePolicy"]

    assert redrive["deadLetterTargetArn"] == {"Fn::GetAtt": "DeadLetterQueue.Arn"}
    assert redrive["maxReceiveCount"] >= 5


@pytest.mark.parametrize("queue", REQUEST_QUEUES)
def test_the_dead_letter_queue_keeps_a_request_for_longer_than_its_source(queue: str) -> None:
    assert QUEUES["DeadLetterQueue"]["MessageRetentionPeriod"] > QUEUES[queue]["MessageRetentionPeriod"]


OWN_KEY = {"Fn::If": ["HasOwnKey", {"Ref": "KmsKeyArn"}, {"Ref": "AWS::NoValue"}]}

TLS_ONLY = {
    "Sid": "TlsOnly",
    "Effect": "Deny",
    "Principal": "*",
    "Action": "sqs:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}

PRODUCERS = {
    "Sid": "Producers",
    "Effect": "Allow",
    "Principal": {"AWS": {"Fn::Split": [",", {"Ref": "ProducerPrincipals"}]}},
    "Action": "sqs:SendMessage",
    "Resource": "*",
}


EVENTS = {
    "Sid": "Events",
    "Effect": "Allow",
    "Principal": {"Service": "events.amazonaws.com"},
    "Action": "sqs:SendMessage",
    "Resource": "*",
    "Condition": {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": "CallbackRule.Arn"}}},
}


@pytest.mark.parametrize("queue", QUEUES)
def test_a_queue_is_encrypted_by_sqs_or_by_the_key_of_the_operator(queue: str) -> None:
    assert QUEUES[queue]["SqsManagedSseEnabled"] == {"Fn::If": ["HasOwnKey", {"Ref": "AWS::NoValue"}, True]}
    assert QUEUES[queue]["KmsMasterKeyId"] == OWN_KEY


def test_every_queue_refuses_connections_without_tls_and_producers_reach_the_request_queues_alone() -> None:
    policies = {
        tuple(queue["Ref"] for queue in policy["Queues"]): policy["PolicyDocument"]["Statement"]
        for policy in named("AWS::SQS::QueuePolicy").values()
    }

    assert policies == {
        REQUEST_QUEUES: [TLS_ONLY, {"Fn::If": ["HasProducers", PRODUCERS, {"Ref": "AWS::NoValue"}]}],
        ("DeadLetterQueue", "PublishFailures"): [TLS_ONLY],
        CALLBACK_QUEUES: [TLS_ONLY, EVENTS],
    }


def test_the_send_function_takes_both_queues_and_returns_only_the_requests_that_failed() -> None:
    concurrency = {"Fn::If": ["HasOwnSendConcurrency", {"Ref": "SendConcurrency"}, 10]}
    events = [event["Properties"] for event in SEND["Events"].values()]

    assert events == [
        {
            "Queue": {"Fn::GetAtt": f"{queue}.Arn"},
            "BatchSize": {"Ref": "SendBatchSize"},
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "ScalingConfig": {"MaximumConcurrency": concurrency},
        }
        for queue in REQUEST_QUEUES
    ]
    assert "ReservedConcurrentExecutions" not in SEND


def test_lambda_does_not_stop_wake_ups_that_share_a_trace() -> None:
    assert {name for name, function in FUNCTIONS.items() if "RecursiveLoop" in function} == {"SendFunction"}
    assert SEND["RecursiveLoop"] == "Allow"


def test_the_default_concurrency_is_the_same_as_a_parameter_and_as_a_number() -> None:
    different = {"Fn::Not": [{"Fn::Equals": [{"Ref": "SendConcurrency"}, 10]}]}

    assert TEMPLATE["Conditions"]["HasOwnSendConcurrency"] == different
    assert TEMPLATE["Parameters"]["SendConcurrency"]["Default"] == 10


# --- state ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("table", TABLES)
def test_a_table_is_on_demand_encrypted_recoverable_and_forgets_by_ttl(table: str) -> None:
    properties = TABLES[table]

    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    own_key = {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": {"Ref": "KmsKeyArn"}}
    assert properties["SSESpecification"] == {"Fn::If": ["HasOwnKey", own_key, {"Ref": "AWS::NoValue"}]}
    is_protected = {"Fn::If": ["IsDeletionProtected", True, False]} if table != "CallbacksTable" else False
    assert properties["DeletionProtectionEnabled"] == is_protected
    # The vendors' words about failed attempts and the progress of callbacks are no record of sent messages.
    is_recoverable = table not in ("AttemptsTable", "CallbacksTable")
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": is_recoverable}
    assert properties["TimeToLiveSpecification"] == {"AttributeName": "ttl", "Enabled": True}


def test_tables_have_their_keys_and_the_due_index_carries_nothing_else() -> None:
    keys = {name: [(key["AttributeName"], key["KeyType"]) for key in t["KeySchema"]] for name, t in TABLES.items()}
    (index,) = TABLES["MessagesTable"]["GlobalSecondaryIndexes"]

    assert keys == {
        "MessagesTable": [("message_id", "HASH")],
        "CorrelationsTable": [("correlation_key", "HASH")],
        "InboxTable": [("inbound_key", "HASH")],
        "DirectoryTable": [("directory_key", "HASH")],
        "MediaTable": [("media_key", "HASH")],
        "EncryptionKeysTable": [("message_id", "HASH")],
        "AttemptsTable": [("message_id", "HASH"), ("entry", "RANGE")],
        "CallbacksTable": [("message_id", "HASH")],
    }
    assert index == {
        "IndexName": "due",
        "KeySchema": [
            {"AttributeName": "due_shard", "KeyType": "HASH"},
            {"AttributeName": "due_at", "KeyType": "RANGE"},
        ],
        "Projection": {"ProjectionType": "KEYS_ONLY"},
    }


def test_the_stream_shows_what_a_message_was_and_what_it_became() -> None:
    streams = {
        name: t["StreamSpecification"]["StreamViewType"] for name, t in TABLES.items() if "StreamSpecification" in t
    }

    assert streams == {"MessagesTable": "NEW_AND_OLD_IMAGES", "InboxTable": "NEW_IMAGE"}


@pytest.mark.parametrize("name", [*sorted(TABLES.keys() - {"CallbacksTable"}), *SECRETS])
def test_what_was_sent_and_what_is_secret_outlives_the_stack_but_not_a_first_deployment_that_failed(name: str) -> None:
    assert RESOURCES[name]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES[name]["UpdateReplacePolicy"] == "Retain"


@pytest.mark.parametrize("name", [*TABLES, *SECRETS, *QUEUES])
def test_what_may_stay_behind_has_no_fixed_name_so_that_the_stack_can_come_back(name: str) -> None:
    assert not {"TableName", "QueueName", "Name"} & RESOURCES[name]["Properties"].keys()


def test_the_provider_secret_starts_as_a_list_with_one_generated_token_that_json_and_urls_can_carry() -> None:
    written, variables = SECRETS["ProviderSecret"]["SecretString"]["Fn::Sub"]
    generated = SECRETS["WebhookTokenSecret"]["GenerateSecretString"]
    token = "{{resolve:secretsmanager:${TokenArn}}}"

    assert json.loads(written) == {"webhook_tokens": [token]}
    assert variables == {"TokenArn": {"Fn::GetAtt": "WebhookTokenSecret.Id"}}
    assert generated["PasswordLength"] >= 32
    assert generated["ExcludePunctuation"] is True
    assert set(generated["ExcludeCharacters"]) == {chr(code) for code in range(33, 127) if not chr(code).isalnum()}


@pytest.mark.parametrize("secret", SECRETS)
def test_a_secret_is_encrypted_by_the_key_of_the_operator_if_there_is_one(secret: str) -> None:
    assert SECRETS[secret]["KmsKeyId"] == OWN_KEY


def test_no_stack_update_can_overwrite_the_settings_because_they_are_no_resource() -> None:
    name = {"Fn::Sub": "/${AWS::StackName}/settings"}
    others = ("PublishFunction", "CallbackFunction")
    readers = [f["Environment"]["Variables"] for n, f in FUNCTIONS.items() if n not in others]

    assert named("AWS::SSM::Parameter") == {}
    assert TEMPLATE["Outputs"]["SettingsParameterName"]["Value"] == name
    assert [variables["SETTINGS_PARAMETER"] for variables in readers] == [name] * 4


# --- functions --------------------------------------------------------------------------------------------------------


def test_a_lease_outlives_the_invocation_that_took_it_by_half_a_minute_of_clock_skew() -> None:
    assert int(SEND["Environment"]["Variables"]["LEASE_SECONDS"]) >= SEND["Timeout"] + 30


def test_follow_up_ends_before_it_is_started_again() -> None:
    follow_up = FUNCTIONS["FollowUpFunction"]

    assert follow_up["Timeout"] < 60
    assert follow_up["Events"]["EveryMinute"]["Properties"]["ScheduleExpression"] == "rate(1 minute)"


@pytest.mark.parametrize(
    ("event", "table", "kinds"),
    [("Changes", "MessagesTable", ["INSERT", "MODIFY"]), ("Arrivals", "InboxTable", ["INSERT"])],
)
def test_publish_reads_every_change_and_lets_go_of_a_bad_one_in_time(event: str, table: str, kinds: list[str]) -> None:
    properties = PUBLISH["Events"][event]["Properties"]
    (pattern,) = [json.loads(filter_["Pattern"]) for filter_ in properties["FilterCriteria"]["Filters"]]

    assert PUBLISH["Events"].keys() == {"Changes", "Arrivals"}
    assert properties["Stream"] == {"Fn::GetAtt": f"{table}.StreamArn"}
    assert pattern == {"eventName": kinds}
    assert properties["StartingPosition"] == "TRIM_HORIZON"
    assert properties["BisectBatchOnFunctionError"] is True
    assert properties["MaximumRetryAttempts"] > 0
    assert properties["MaximumRecordAgeInSeconds"] < 24 * 3600  # what the stream keeps
    assert properties["DestinationConfig"]["OnFailure"]["Destination"] == {"Fn::GetAtt": "PublishFailures.Arn"}


def test_functions_are_built_by_the_makefile_and_run_the_current_python_by_default() -> None:
    assert TEMPLATE["Parameters"]["PythonRuntime"]["Default"] == "python3.13"
    assert TEMPLATE["Parameters"]["Architecture"]["Default"] == "x86_64"
    for name, function in FUNCTIONS.items():
        folder = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name.removesuffix("Function")).lower()
        assert function["CodeUri"] == f"functions/{folder}/"
        assert RESOURCES[name]["Metadata"] == {"BuildMethod": "makefile"}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_function_logs_json_into_a_group_of_its_own_that_forgets(function: str) -> None:
    group = function.removesuffix("Function") + "Log"

    logging = {"LogFormat": "JSON", "SystemLogLevel": "WARN", "LogGroup": {"Ref": group}}
    assert FUNCTIONS[function]["LoggingConfig"] == logging
    assert named("AWS::Logs::LogGroup")[group]["RetentionInDays"] == {"Ref": "LogRetentionDays"}


def test_a_log_group_is_encrypted_by_the_key_of_the_operator_if_there_is_one() -> None:
    groups = named("AWS::Logs::LogGroup")

    assert {name: group["KmsKeyId"] for name, group in groups.items()} == dict.fromkeys(groups, OWN_KEY)
    assert len(groups) == len(FUNCTIONS) + 1  # one of the API


def test_the_functions_that_call_vendors_can_be_put_into_a_vpc() -> None:
    lists = {"SubnetIds": {"Fn::Split": [",", {"Ref": "SubnetIds"}]}}
    lists |= {"SecurityGroupIds": {"Fn::Split": [",", {"Ref": "SecurityGroupIds"}]}}
    in_vpc = {"Fn::If": ["IsInVpc", lists, {"Ref": "AWS::NoValue"}]}

    assert {name: f["VpcConfig"] for name, f in FUNCTIONS.items() if "VpcConfig" in f} == {
        "SendFunction": in_vpc,
        "FollowUpFunction": in_vpc,
        "MonitorFunction": in_vpc,
        "CallbackFunction": in_vpc,
    }


@pytest.mark.parametrize(
    ("name", "taken", "refused"),
    [
        ("SubnetIds", ["", "subnet-0a1", "subnet-0a1,subnet-0b2"], ["subnet-0a1, subnet-0b2", "subnet-0a1,", "vpc-1"]),
        ("SecurityGroupIds", ["", "sg-0a1", "sg-0a1,sg-0b2"], ["sg-0a1 sg-0b2", ",sg-0a1"]),
        (
            "KmsKeyArn",
            ["", "arn:aws:kms:ap-southeast-1:111122223333:key/1234abcd-12ab"],
            ["alias/sampai", "arn:aws:kms:ap-southeast-1:111122223333:alias/sampai"],
        ),
        (
            "ProducerPrincipals",
            ["", "111122223333", "111122223333,arn:aws:iam::444455556666:role/shop/sends"],
            ["*", "1111", "111122223333,", "arn:aws:iam::444455556666:role/*", "111122223333, 444455556666"],
        ),
        (
            "CallbackUrl",
            ["", "https://shop.example", "https://shop.example:8443/hooks/a?b=c", "http://localhost:5290/hooks"],
            [
                "http://shop.example/hooks",
                "http://127.0.0.1.shop.example:80/",
                "http://localhost",
                "ftp://shop.example",
                "https://user:word@shop.example/",
                "https://shop.example/#part",
                "https://shop.example/a b",
                "shop.example",
            ],
        ),
    ],
)
def test_a_parameter_takes_what_it_is_for(name: str, taken: list[str], refused: list[str]) -> None:
    pattern = re.compile(TEMPLATE["Parameters"][name]["AllowedPattern"])

    assert [value for value in taken if not pattern.fullmatch(value)] == []
    assert [value for value in refused if pattern.fullmatch(value)] == []


def test_subnets_and_security_groups_come_together() -> None:
    given = {name: {"Fn::Not": [{"Fn::Equals": [{"Ref": name}, ""]}]} for name in ("SubnetIds", "SecurityGroupIds")}
    rules = [(rule["RuleCondition"], rule["Assertions"][0]["Assert"]) for rule in TEMPLATE["Rules"].values()]

    assert rules == [
        (given["SubnetIds"], given["SecurityGroupIds"]),
        (given["SecurityGroupIds"], given["SubnetIds"]),
    ]


def test_a_message_is_kept_until_its_last_report_can_have_come() -> None:
    settings = json.loads((ROOT / "docs/reference/schemas/settings.json").read_text())
    longest_horizon_days = settings["properties"]["report_horizon_hours"]["maximum"] / 24
    retention = TEMPLATE["Parameters"]["RetentionDays"]

    # It waits for its vendor, and then for its report, as long as the horizon each.
    assert retention["MinValue"] >= 2 * longest_horizon_days + 2
    assert retention["Default"] >= retention["MinValue"]


def test_schedules_have_no_name_that_a_second_stack_would_have_too() -> None:
    schedules = [
        event["Properties"]
        for function in FUNCTIONS.values()
        for event in function.get("Events", {}).values()
        if event["Type"] == "ScheduleV2"
    ]

    assert [schedule["OmitName"] for schedule in schedules] == [True, True]


def test_the_api_comes_before_the_functions_because_sam_serves_the_first_that_could_be_one() -> None:
    names = list(RESOURCES)

    assert names.index("WebhookApi") < min(names.index(function) for function in FUNCTIONS)


def test_the_log_level_at_which_libraries_write_down_requests_cannot_be_chosen() -> None:
    assert TEMPLATE["Parameters"]["LogLevel"]["AllowedValues"] == ["INFO", "WARNING", "ERROR"]


STATE = {"MESSAGES_TABLE", "CORRELATIONS_TABLE", "PROVIDER_SECRET_ARN"}
QUEUE_URLS = {"SEND_QUEUE_URL", "URGENT_QUEUE_URL"}
ITEMS = {"RETENTION_DAYS", "DUE_SHARDS"}


@pytest.mark.parametrize(
    ("function", "variables"),
    [
        (
            "SendFunction",
            STATE
            | QUEUE_URLS
            | ITEMS
            | {"DIRECTORY_TABLE", "MEDIA_TABLE", "ENCRYPTION_KEYS_TABLE", "ATTEMPTS_TABLE"}
            | {"FINGERPRINT_SECRET_ARN", "SETTINGS_PARAMETER", "EVENT_BUS_NAME", "WEBHOOK_BASE_URL", "LEASE_SECONDS"},
        ),
        (
            "WebhookFunction",
            STATE | ITEMS | {"INBOX_TABLE", "DIRECTORY_TABLE", "FINGERPRINT_SECRET_ARN", "SETTINGS_PARAMETER"},
        ),
        ("MonitorFunction", {"DIRECTORY_TABLE", "PROVIDER_SECRET_ARN", "SETTINGS_PARAMETER"}),
        (
            "FollowUpFunction",
            STATE
            | QUEUE_URLS
            | ITEMS
            | {"DIRECTORY_TABLE", "SETTINGS_PARAMETER", "WEBHOOK_BASE_URL", "FOLLOW_UP_WORKERS"},
        ),
        ("PublishFunction", {"EVENT_BUS_NAME", "MEDIA_TABLE", "ENCRYPTION_KEYS_TABLE"}),
        (
            "CallbackFunction",
            {"CALLBACKS_TABLE", "CALLBACK_QUEUE_URL", "CALLBACK_URL", "CALLBACK_TO_PRIVATE_ADDRESSES"}
            | {"PROVIDER_SECRET_ARN", "LEASE_SECONDS", "MAX_RECEIVES"},
        ),
    ],
)
def test_a_function_is_told_what_it_needs_and_no_more(function: str, variables: set[str]) -> None:
    assert FUNCTIONS[function]["Environment"]["Variables"].keys() == variables


def test_no_environment_variable_holds_a_secret() -> None:
    shared = TEMPLATE["Globals"]["Function"]["Environment"]["Variables"]
    values = [shared, *(function["Environment"]["Variables"] for function in FUNCTIONS.values())]

    assert "resolve:" not in json.dumps(values)
    assert shared == {
        "POWERTOOLS_SERVICE_NAME": "sampai",
        "POWERTOOLS_LOG_LEVEL": {"Ref": "LogLevel"},
        "POWERTOOLS_METRICS_NAMESPACE": {"Fn::Sub": "Sampai/${AWS::StackName}"},
    }


# --- callbacks --------------------------------------------------------------------------------------------------------

CALLBACK = FUNCTIONS["CallbackFunction"]


def test_without_an_address_for_callbacks_no_resource_of_theirs_exists() -> None:
    theirs = {name for name in RESOURCES if name.startswith("Callback")}
    conditional = {name for name, r in {**RESOURCES, **TEMPLATE["Outputs"]}.items() if r.get("Condition") == HAS}

    assert conditional == theirs | {"CallbackDeadLetterQueueUrl"}
    assert len(theirs) == 13
    assert TEMPLATE["Parameters"]["CallbackUrl"]["Default"] == ""
    assert TEMPLATE["Conditions"][HAS] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "CallbackUrl"}, ""]}]}


HAS = "HasCallbacks"


def test_callbacks_go_to_public_addresses_unless_the_operator_says_otherwise() -> None:
    parameter = TEMPLATE["Parameters"]["CallbackToPrivateAddresses"]

    assert (parameter["Default"], parameter["AllowedValues"]) == ("false", ["true", "false"])


def test_a_rule_brings_every_kind_of_event_to_the_queue_of_the_callbacks() -> None:
    assert RESOURCES["CallbackRule"]["Properties"] == {
        "EventBusName": {"Ref": "EventBus"},
        "EventPattern": {"source": [SOURCE], "detail-type": list(TYPES)},
        "Targets": [
            {
                "Id": "callbacks",
                "Arn": {"Fn::GetAtt": "CallbackQueue.Arn"},
                "DeadLetterConfig": {"Arn": {"Fn::GetAtt": "CallbackDeadLetterQueue.Arn"}},
            }
        ],
    }
    assert TYPES.keys() == DETAIL_TYPES.keys()


def test_an_event_is_tried_for_about_a_day_and_then_kept_for_longer_than_its_queue_would() -> None:
    queue, dead_letters = (QUEUES[name] for name in CALLBACK_QUEUES)
    receives = queue["RedrivePolicy"]["maxReceiveCount"]
    seconds = sum(min(2**receive, MAX_DELAY.total_seconds()) for receive in range(1, receives))

    assert queue["RedrivePolicy"]["deadLetterTargetArn"] == {"Fn::GetAtt": "CallbackDeadLetterQueue.Arn"}
    assert CALLBACK["Environment"]["Variables"]["MAX_RECEIVES"] == str(receives)
    assert 20 * 3600 < seconds < 28 * 3600 < queue["MessageRetentionPeriod"] < dead_letters["MessageRetentionPeriod"]


def test_an_event_comes_again_neither_before_the_end_of_its_worker_nor_after_the_wait_for_a_gap() -> None:
    assert QUEUES["CallbackQueue"]["VisibilityTimeout"] >= 6 * CALLBACK["Timeout"]
    assert QUEUES["CallbackQueue"]["VisibilityTimeout"] < MAX_DELAY.total_seconds() < GAP_WAIT.total_seconds()
    assert int(CALLBACK["Environment"]["Variables"]["LEASE_SECONDS"]) >= CALLBACK["Timeout"] + 30
    assert CALLBACK["Timeout"] > EVENT_SECONDS


def test_few_workers_post_callbacks_and_return_only_the_events_that_wait() -> None:
    assert CALLBACK["Events"]["Events"]["Properties"] == {
        "Queue": {"Fn::GetAtt": "CallbackQueue.Arn"},
        "BatchSize": 10,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 5},
    }


# --- permissions ------------------------------------------------------------------------------------------------------

SETTINGS = "arn:${AWS::Partition}:ssm:${AWS::Region}:${AWS::AccountId}:parameter/${AWS::StackName}/settings"


def pairs(resource: str, *actions: str) -> set[tuple[str, str]]:
    return {(action, resource) for action in actions}


def logs(function: str) -> set[tuple[str, str]]:
    return pairs(f"{function}Log.Arn", "logs:CreateLogStream", "logs:PutLogEvents")


def table(name: str, *operations: str) -> set[tuple[str, str]]:
    return pairs(f"{name}Table.Arn", *(f"dynamodb:{operation}" for operation in operations))


def sending() -> set[tuple[str, str]]:
    return pairs("SendQueue.Arn", "sqs:SendMessage") | pairs("UrgentQueue.Arn", "sqs:SendMessage")


def receiving(*queues: str) -> set[tuple[str, str]]:
    actions = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ChangeMessageVisibility")
    return set().union(*(pairs(f"{queue}.Arn", *actions) for queue in queues))


STREAMS = {("dynamodb:ListStreams", f"${{{name}Table.Arn}}/stream/*") for name in ("Messages", "Inbox")}
READING_STREAMS = ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator")

GOLDEN = {
    "SendRole": logs("Send")
    | receiving(*REQUEST_QUEUES)
    | sending()
    | table("Messages", "BatchGetItem", "PartiQLInsert", "PartiQLUpdate")
    | table("Correlations", "BatchGetItem", "PartiQLInsert", "UpdateItem")
    | table("Directory", "BatchGetItem", "UpdateItem")
    | table("Media", "BatchGetItem", "PutItem", "DeleteItem")
    | table("EncryptionKeys", "UpdateItem")
    | table("Attempts", "PartiQLInsert")
    | pairs("EventBus.Arn", "events:PutEvents")
    | pairs(SETTINGS, "ssm:GetParameter")
    | pairs("ProviderSecret.Id", "secretsmanager:GetSecretValue")
    | pairs("FingerprintSecret.Id", "secretsmanager:GetSecretValue"),
    "WebhookRole": logs("Webhook")
    | table("Messages", "BatchGetItem", "PartiQLUpdate")
    | table("Correlations", "BatchGetItem", "UpdateItem")
    | table("Inbox", "GetItem", "PutItem")
    | table("Directory", "UpdateItem")
    | pairs(SETTINGS, "ssm:GetParameter")
    | pairs("ProviderSecret.Id", "secretsmanager:GetSecretValue")
    | pairs("FingerprintSecret.Id", "secretsmanager:GetSecretValue"),
    "MonitorRole": logs("Monitor")
    | table("Directory", "PutItem")
    | pairs(SETTINGS, "ssm:GetParameter")
    | pairs("ProviderSecret.Id", "secretsmanager:GetSecretValue"),
    "FollowUpRole": logs("FollowUp")
    | sending()
    | pairs("${MessagesTable.Arn}/index/due", "dynamodb:Query")
    | table("Messages", "BatchGetItem", "PartiQLUpdate")
    | table("Correlations", "BatchGetItem", "UpdateItem")
    | table("Directory", "UpdateItem")
    | pairs(SETTINGS, "ssm:GetParameter")
    | pairs("ProviderSecret.Id", "secretsmanager:GetSecretValue"),
    "PublishRole": logs("Publish")
    | pairs("MessagesTable.StreamArn", *READING_STREAMS)
    | pairs("InboxTable.StreamArn", *READING_STREAMS)
    | STREAMS
    | pairs("EventBus.Arn", "events:PutEvents")
    | pairs("MediaTable.Arn", "dynamodb:DeleteItem")
    | pairs("EncryptionKeysTable.Arn", "dynamodb:DeleteItem")
    | pairs("PublishFailures.Arn", "sqs:SendMessage"),
    "CallbackRole": logs("Callback")
    | receiving("CallbackQueue")
    | table("Callbacks", "GetItem", "PutItem")
    | pairs("ProviderSecret.Id", "secretsmanager:GetSecretValue"),
}


@pytest.mark.parametrize("role", GOLDEN)
def test_a_function_may_do_what_it_does_and_nothing_else(role: str) -> None:
    assert permissions_of(role) == GOLDEN[role]


def test_every_function_has_a_written_out_role_so_that_sam_adds_no_policy() -> None:
    for name, function in FUNCTIONS.items():
        role = name.removesuffix("Function") + "Role"
        assert function["Role"] == {"Fn::GetAtt": f"{role}.Arn"}
        assert "Policies" not in function
    assert ROLES.keys() == GOLDEN.keys()


MANAGED_POLICIES = named("AWS::IAM::ManagedPolicy")


def managed(condition: str, policy: str) -> dict[str, Any]:
    return {"Fn::If": [condition, {"Ref": policy}, {"Ref": "AWS::NoValue"}]}


def test_a_role_gets_more_only_with_a_vpc_or_a_key_of_the_operator() -> None:
    network, key = managed("IsInVpc", "NetworkInterfacesPolicy"), managed("HasOwnKey", "KeyUsePolicy")

    assert {role: properties["ManagedPolicyArns"] for role, properties in ROLES.items()} == {
        "SendRole": [network, key],
        "FollowUpRole": [network, key],
        "MonitorRole": [network, key],
        "CallbackRole": [network, key],
        "WebhookRole": [key],
        "PublishRole": [key],
    }
    assert {name: RESOURCES[name]["Condition"] for name in MANAGED_POLICIES} == {
        "NetworkInterfacesPolicy": "IsInVpc",
        "KeyUsePolicy": "HasOwnKey",
        "FollowUpWorkersPolicy": "HasFollowUpWorkers",
    }


def test_follow_up_may_start_more_of_itself_only_with_several_workers() -> None:
    statement = {
        "Effect": "Allow",
        "Action": "lambda:InvokeFunction",
        "Resource": {"Fn::GetAtt": "FollowUpFunction.Arn"},
    }

    assert MANAGED_POLICIES["FollowUpWorkersPolicy"] == {
        "Roles": [{"Ref": "FollowUpRole"}],
        "PolicyDocument": {"Version": "2012-10-17", "Statement": [statement]},
    }
    assert TEMPLATE["Conditions"]["HasFollowUpWorkers"] == {
        "Fn::Not": [{"Fn::Equals": [{"Ref": "FollowUpWorkers"}, 1]}]
    }
    workers = TEMPLATE["Parameters"]["FollowUpWorkers"]
    assert (workers["MinValue"], workers["MaxValue"], workers["Default"]) == (1, 64, 1)


def test_lambda_may_make_network_interfaces_and_the_code_of_the_functions_may_not() -> None:
    describe, change, deny = MANAGED_POLICIES["NetworkInterfacesPolicy"]["PolicyDocument"]["Statement"]
    of_the_stack = "arn:${AWS::Partition}:lambda:${AWS::Region}:${AWS::AccountId}:function:${AWS::StackName}-*"

    assert describe == {
        "Effect": "Allow",
        "Action": ["ec2:DescribeNetworkInterfaces", "ec2:DescribeSubnets"],
        "Resource": "*",
    }
    assert change["Action"] == [
        "ec2:CreateNetworkInterface",
        "ec2:DeleteNetworkInterface",
        "ec2:AssignPrivateIpAddresses",
        "ec2:UnassignPrivateIpAddresses",
    ]
    assert [_name_of(resource).partition("AccountId}:")[2] for resource in change["Resource"]] == [
        "network-interface/*",
        "subnet/*",
        "security-group/*",
    ]
    assert deny == {
        "Effect": "Deny",
        "Action": "ec2:*",
        "Resource": "*",
        "Condition": {"ArnLike": {"lambda:SourceFunctionArn": {"Fn::Sub": of_the_stack}}},
    }


def test_the_functions_use_the_key_of_the_operator_and_cannot_manage_it() -> None:
    assert MANAGED_POLICIES["KeyUsePolicy"]["PolicyDocument"]["Statement"] == [
        {"Effect": "Allow", "Action": ["kms:Decrypt", "kms:GenerateDataKey"], "Resource": {"Ref": "KmsKeyArn"}}
    ]


def test_no_function_may_read_an_encryption_key_back() -> None:
    reading = {"GetItem", "BatchGetItem", "Query", "Scan", "PartiQLSelect"}
    granted = set().union(*(permissions_of(role) for role in ROLES))

    assert granted & pairs("EncryptionKeysTable.Arn", *(f"dynamodb:{action}" for action in reading)) == set()


def test_the_only_permission_on_failed_attempts_is_that_of_send_to_insert() -> None:
    granted = {
        (role, *pair) for role in ROLES for pair in permissions_of(role) if "AttemptsTable" in json.dumps(pair[1])
    }

    assert granted == {("SendRole", *pair) for pair in table("Attempts", "PartiQLInsert")}


def test_no_permission_has_a_wildcard_or_scans() -> None:
    granted = set().union(*(permissions_of(role) for role in ROLES)) - STREAMS

    assert not [pair for pair in granted if "*" in "".join(pair) or pair[0] == "dynamodb:Scan"]


# --- webhook API ------------------------------------------------------------------------------------------------------


def test_the_api_has_the_two_routes_of_webhooks_and_no_other() -> None:
    routes = {route["RouteKey"] for route in named("AWS::ApiGatewayV2::Route").values()}

    assert routes == {f"{method} /webhooks/{{provider}}/{{kind}}/{{token}}" for method in ("GET", "POST")}


def test_the_access_log_shows_neither_path_nor_query_because_the_token_is_in_the_path() -> None:
    written = RESOURCES["WebhookStage"]["Properties"]["AccessLogSettings"]["Format"]

    assert set(json.loads(written).values()) == {
        "$context.requestId",
        "$context.routeKey",
        "$context.status",
        "$context.responseLatency",
    }
    assert "\n" not in written


def test_the_api_throttles_and_only_its_webhook_routes_may_call_the_function() -> None:
    limits = RESOURCES["WebhookStage"]["Properties"]["DefaultRouteSettings"]
    default = TEMPLATE["Parameters"]["WebhookRateLimit"]["Default"]
    source = RESOURCES["WebhookPermission"]["Properties"]["SourceArn"]["Fn::Sub"]

    assert limits.keys() == {"ThrottlingRateLimit", "ThrottlingBurstLimit"}
    assert [*limits.values()] == [{"Ref": "WebhookRateLimit"}] * 2
    # Twice what all send functions together send to a vendor that answers in 200 ms and reports twice.
    assert default >= 2 * 2 * 10 * TEMPLATE["Parameters"]["SendConcurrency"]["Default"]
    assert source.endswith(":${WebhookApi}/*/*/webhooks/*/*/*")


# --- alarms and outputs -----------------------------------------------------------------------------------------------


def watched() -> set[tuple[str, str, str]]:
    return {
        (_namespace_of(alarm), alarm["MetricName"], _name_of(dimension["Value"]))
        for alarm in ALARMS.values()
        for dimension in alarm.get("Dimensions", [{"Value": {"": ""}}])
    }


def _namespace_of(alarm: dict[str, Any]) -> str:
    namespace: str | dict[str, str] = alarm["Namespace"]
    return namespace["Fn::Sub"] if isinstance(namespace, dict) else namespace


def test_an_alarm_rings_for_everything_that_nobody_would_see_otherwise() -> None:
    depth, age = "ApproximateNumberOfMessagesVisible", "ApproximateAgeOfOldestMessage"
    failing = {("AWS/Lambda", metric, function) for metric in ("Errors", "Throttles") for function in FUNCTIONS}

    assert watched() >= failing | {
        ("AWS/SQS", depth, "DeadLetterQueue.QueueName"),
        ("AWS/SQS", depth, "PublishFailures.QueueName"),
        ("AWS/SQS", age, "SendQueue.QueueName"),
        ("AWS/SQS", age, "UrgentQueue.QueueName"),
        ("AWS/SQS", depth, "CallbackDeadLetterQueue.QueueName"),
        ("AWS/SQS", age, "CallbackQueue.QueueName"),
        ("Sampai/${AWS::StackName}", "CallbacksUnusable", ""),
        ("AWS/Lambda", "IteratorAge", "PublishFunction"),
        ("AWS/ApiGateway", "5xx", "WebhookApi"),
        ("Sampai/${AWS::StackName}", "CircuitOpened", ""),
        ("Sampai/${AWS::StackName}", "AccountRefused", ""),
        ("Sampai/${AWS::StackName}", "BalanceLow", ""),
        ("Sampai/${AWS::StackName}", "BalanceExpiring", ""),
        ("Sampai/${AWS::StackName}", "EncryptionKeyLost", ""),
        ("Sampai/${AWS::StackName}", "MessageBlocked", ""),
        ("Sampai/${AWS::StackName}", "SettingsBroken", ""),
        ("Sampai/${AWS::StackName}", "SecretBroken", ""),
        ("Sampai/${AWS::StackName}", "AddressRefused", ""),
        ("Sampai/${AWS::StackName}", "ProviderUnusable", ""),
        ("Sampai/${AWS::StackName}", "ProviderNotConfigured", ""),
        ("Sampai/${AWS::StackName}", "OldestDueAge", ""),
        ("Sampai/${AWS::StackName}", "WebhookTokenRejected", ""),
        ("Sampai/${AWS::StackName}", "WebhookMalformed", ""),
        ("AWS/Lambda", "Invocations", "FollowUpFunction"),
    }


def test_silence_of_the_follow_up_rings() -> None:
    alarm = ALARMS["FollowUpStoppedAlarm"]
    every_seconds = 60

    assert alarm["TreatMissingData"] == "breaching"
    assert alarm["ComparisonOperator"] == "LessThanThreshold"
    assert 0 < alarm["Threshold"] < alarm["Period"] / every_seconds
    assert {name for name, a in ALARMS.items() if a["TreatMissingData"] == "breaching"} == {"FollowUpStoppedAlarm"}


@pytest.mark.parametrize("name", ["WebhookTokenRejectedAlarm", "WebhookMalformedAlarm"])
def test_alarm_for_refused_callbacks_rings_on_a_rise_and_not_for_a_single_one(name: str) -> None:
    alarm = ALARMS[name]

    assert (alarm["Statistic"], alarm["ComparisonOperator"]) == ("Sum", "GreaterThanOrEqualToThreshold")
    assert (alarm["Threshold"], alarm["Period"], alarm["EvaluationPeriods"]) == (5, 900, 1)


def test_every_alarm_links_to_a_section_of_the_runbook() -> None:
    page = (ROOT / "docs/how-to/operate.md").read_text()
    sections = {re.sub(r"[^a-z0-9 -]", "", h.lower()).replace(" ", "-") for h in re.findall(r"^#+ (.+)$", page, re.M)}
    links = {
        name: re.findall(r" \$\{RunbookUrl\}#([a-z-]+)$", a["AlarmDescription"]["Fn::Sub"])
        for name, a in ALARMS.items()
    }

    assert {name: found for name, found in links.items() if len(found) != 1 or found[0] not in sections} == {}
    assert {name for name in ALARMS if f"`{name}`" not in page} == set()


def test_every_alarm_notifies_the_topic_when_it_rings_and_when_it_is_over() -> None:
    actions = {"Fn::If": ["HasAlarmTopic", [{"Ref": "AlarmTopicArn"}], {"Ref": "AWS::NoValue"}]}

    assert [n for n, alarm in ALARMS.items() if (alarm["AlarmActions"], alarm["OKActions"]) != (actions, actions)] == []


def test_the_outputs_have_the_names_that_callers_rely_on() -> None:
    assert TEMPLATE["Outputs"].keys() == {
        "SendQueueUrl",
        "UrgentQueueUrl",
        "DeadLetterQueueUrl",
        "MessagesTableName",
        "WebhookBaseUrl",
        "EventBusName",
        "ProviderSecretArn",
        "SettingsParameterName",
        "EncryptionKeysTableName",
        "AttemptsTableName",
        "CallbackDeadLetterQueueUrl",
    }


SAMCONFIG: dict[str, Any] = tomllib.loads((ROOT / "samconfig.toml").read_text())
STAGES = ("dev", "staging", "prod")


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_has_a_stack_tags_and_parameters_that_the_template_knows(stage: str) -> None:
    deploy = SAMCONFIG[stage]["deploy"]["parameters"]
    names = {override.partition("=")[0] for override in deploy["parameter_overrides"]}

    assert SAMCONFIG[stage]["global"]["parameters"]["stack_name"] == f"sampai-{stage}"
    assert deploy["tags"] == ["Application=sampai", f"Stage={stage}"]
    assert f"Stage={stage}" in deploy["parameter_overrides"]
    assert names <= TEMPLATE["Parameters"].keys()


def test_sam_without_a_stage_works_on_dev_and_asks_first() -> None:
    default, dev = SAMCONFIG["default"], SAMCONFIG["dev"]

    assert SAMCONFIG.keys() == {"version", "default", *STAGES}
    assert default["global"] == dev["global"]
    assert default["deploy"]["parameters"] == dev["deploy"]["parameters"] | {"confirm_changeset": True}
