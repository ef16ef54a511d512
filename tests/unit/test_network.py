"""The optional VPC: what leaves it has one address. The local AWS knows no NAT gateway, so the wiring is read here."""

import re
from typing import Any, Final

from tests.template import template

NETWORK: Final = template("network.yaml")
RESOURCES: Final[dict[str, Any]] = NETWORK["Resources"]
PRIVATE_SUBNETS: Final = ("PrivateSubnetA", "PrivateSubnetB")


def of_type(kind: str) -> dict[str, Any]:
    return {name: r["Properties"] for name, r in RESOURCES.items() if r["Type"] == f"AWS::EC2::{kind}"}


def route_table_of(subnet: str) -> str:
    (table,) = [
        association["RouteTableId"]["Ref"]
        for association in of_type("SubnetRouteTableAssociation").values()
        if association["SubnetId"] == {"Ref": subnet}
    ]
    return str(table)


def way_out_of(subnet: str) -> dict[str, Any]:
    """Return the target of the default route, the only one of the table."""
    (route,) = [r for r in of_type("Route").values() if r["RouteTableId"] == {"Ref": route_table_of(subnet)}]
    assert route["DestinationCidrBlock"] == "0.0.0.0/0"
    return {name: value["Ref"] for name, value in route.items() if name.endswith("GatewayId")}


def test_what_leaves_the_private_subnets_has_the_address_that_is_registered() -> None:
    (gateway,) = of_type("NatGateway").values()

    assert [way_out_of(subnet) for subnet in PRIVATE_SUBNETS] == [{"NatGatewayId": "NatGateway"}] * 2
    assert gateway["AllocationId"] == {"Fn::GetAtt": "OutgoingAddress.AllocationId"}
    assert way_out_of(gateway["SubnetId"]["Ref"]) == {"GatewayId": "InternetGateway"}
    assert of_type("EIP").keys() == {"OutgoingAddress"}


def test_the_registered_address_outlives_the_stack() -> None:
    assert RESOURCES["OutgoingAddress"]["DeletionPolicy"] == "RetainExceptOnCreate"
    assert RESOURCES["OutgoingAddress"]["UpdateReplacePolicy"] == "Retain"


def test_the_private_subnets_lie_in_two_zones_and_share_no_address() -> None:
    subnets = of_type("Subnet")

    assert len({str(subnets[name]["AvailabilityZone"]) for name in PRIVATE_SUBNETS}) == 2
    assert len({str(subnet["CidrBlock"]) for subnet in subnets.values()}) == len(subnets) == 3


def test_traffic_to_dynamodb_and_s3_does_not_pay_for_the_nat_gateway() -> None:
    endpoints = of_type("VPCEndpoint").values()
    (private,) = {route_table_of(subnet) for subnet in PRIVATE_SUBNETS}

    assert {(e["ServiceName"]["Fn::Sub"].rpartition(".")[2], e["VpcEndpointType"]) for e in endpoints} == {
        ("dynamodb", "Gateway"),
        ("s3", "Gateway"),
    }
    assert [e["RouteTableIds"] for e in endpoints] == [[{"Ref": private}]] * 2


def test_nobody_calls_the_functions_and_they_call_https_alone() -> None:
    (group,) = of_type("SecurityGroup").values()

    assert "SecurityGroupIngress" not in group
    assert [(rule["IpProtocol"], rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [
        ("tcp", 443, 443)
    ]


def test_the_outputs_are_the_parameters_of_the_template_and_the_address() -> None:
    parameters = template()["Parameters"]

    assert NETWORK["Outputs"].keys() - parameters.keys() == {"OutgoingAddress"}
    assert NETWORK["Outputs"]["SubnetIds"]["Value"] == {
        "Fn::Join": [",", [{"Ref": subnet} for subnet in PRIVATE_SUBNETS]]
    }
    assert re.fullmatch(parameters["SubnetIds"]["AllowedPattern"], "subnet-0123456789abcdef0,subnet-0fedcba9876543210")
    assert re.fullmatch(parameters["SecurityGroupIds"]["AllowedPattern"], "sg-0123456789abcdef0")
